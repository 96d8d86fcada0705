"""A disk of a host's own: it ends where it ends, and when the power goes, so does what was not synced."""

from collections.abc import Iterator

import pytest
from tests.bed.conftest import runner
from tests.bed.disk import loop_devices
from tests.bed.fleet import Fleet
from tests.bed.host import Host, HostDownError
from tests.bed.machine import Machine
from tests.bed.waiting import until

DISK_MIB = 96
UNSYNCED = 50
WRITE_UNSYNCED = f"mkdir -p /srv/unsynced && for i in $(seq {UNSYNCED}); do echo unsynced >/srv/unsynced/$i; done"


@pytest.fixture(scope="module")
def fleet(bed: None) -> Iterator[Fleet]:
    """`h1` with a small disk of its own, `h2` without."""
    with runner() as running:
        fleet = running.run(Fleet.up("h1", "h2", machines={"h1": Machine(disk_mib=DISK_MIB)}))
        try:
            yield fleet
        finally:
            running.run(fleet.down())


async def size_mib(host: Host) -> int:
    return int((await host.must("df", "--block-size=1M", "--output=size", "/")).split()[-1])


async def test_the_host_sees_the_size_of_its_disk(fleet: Fleet) -> None:
    assert 0.8 * DISK_MIB < await size_mib(fleet["h1"]) <= DISK_MIB
    assert await size_mib(fleet["h2"]) > 10 * DISK_MIB


async def test_a_full_disk_is_full_for_its_host_only(fleet: Fleet) -> None:
    write = ("dd", "if=/dev/zero", "of=/var/full", "bs=1M", f"count={DISK_MIB}")
    done = await fleet["h1"].exec(*write)
    assert not done.ok
    assert "No space left on device" in done.err
    assert int((await fleet["h1"].must("stat", "-c", "%s", "/var/full")).strip()) < DISK_MIB * 1024 * 1024
    await fleet["h2"].must(*write)
    for host in fleet.agents:
        await host.must("rm", "/var/full")
    await fleet["h1"].must("dd", "if=/dev/zero", "of=/var/full", "bs=1M", "count=10")
    await fleet["h1"].must("rm", "/var/full")


async def test_without_power_only_what_was_synced_survives(fleet: Fleet) -> None:
    h1 = fleet["h1"]
    before = await h1.boot_id()
    await h1.must("dd", "if=/dev/zero", "of=/srv/synced", "bs=4k", "count=3", "conv=fsync")
    await h1.must("sh", "-c", WRITE_UNSYNCED)
    await h1.lose_power()
    assert not h1.running()

    h1.start()
    await h1.wait_up(unlike=before)

    assert (await h1.must("stat", "-c", "%s", "/srv/synced")).strip() == "12288"
    left = await h1.exec("grep", "-rlx", "unsynced", "/srv/unsynced")
    assert (left.ok, left.out) == (False, "")
    assert (await h1.must("systemctl", "is-system-running")).strip() == "running"
    assert (await fleet.hub.exec("curl", "-sS", f"http://{h1.address}/")).ok


async def test_a_killed_host_keeps_what_was_not_synced(fleet: Fleet) -> None:
    h1 = fleet["h1"]
    before = await h1.boot_id()
    await h1.must("sh", "-c", WRITE_UNSYNCED)
    await h1.kill()
    h1.start()
    await h1.wait_up(unlike=before)
    assert len((await h1.must("grep", "-rlx", "unsynced", "/srv/unsynced")).split()) == UNSYNCED


async def test_a_host_on_the_machines_disk_has_no_power_to_lose(fleet: Fleet) -> None:
    with pytest.raises(OSError, match="disk"):
        await fleet["h2"].lose_power()
    assert (await fleet["h2"].exec("true")).ok


async def test_a_reboot_keeps_the_disk(fleet: Fleet) -> None:
    await fleet["h1"].write_file("/srv/kept", "kept")
    await fleet["h1"].reboot()
    assert await fleet["h1"].read_file("/srv/kept") == "kept"
    assert 0.8 * DISK_MIB < await size_mib(fleet["h1"]) <= DISK_MIB


async def test_a_fleet_that_is_down_leaves_no_loop_device(bed: None) -> None:
    async with Fleet.booted("h1", machines={"h1": Machine(disk_mib=DISK_MIB)}) as fleet:
        scratch = fleet.run.scratch
        assert len(loop_devices(scratch)) == 1

    async def none() -> bool:
        return loop_devices(scratch) == []

    await until(none, "the loop device is let go", within_s=10)
    with pytest.raises(HostDownError):
        await fleet["h1"].lose_power()
