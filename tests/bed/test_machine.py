"""A host sees and has its own memory and processors, not the machine's."""

import asyncio
import os
import time
from collections.abc import Iterator

import pytest
from tests.bed.conftest import runner
from tests.bed.fleet import Fleet
from tests.bed.host import Host
from tests.bed.machine import Machine
from tests.bed.waiting import until

MEMORY_MIB = 256
SPIN = "while True: pass"


@pytest.fixture(scope="module")
def fleet(bed: None) -> Iterator[Fleet]:
    """`h1` is small and has one processor; `h2` is as usual."""
    with runner() as running:
        fleet = running.run(Fleet.up("h1", "h2", machines={"h1": Machine(memory_mib=MEMORY_MIB, cpus="0")}))
        try:
            yield fleet
        finally:
            running.run(fleet.down())


async def memory_mib(host: Host) -> int:
    return int((await host.must("free", "--mebi")).splitlines()[1].split()[1])


async def test_a_host_sees_its_own_memory(fleet: Fleet) -> None:
    assert await memory_mib(fleet["h1"]) == MEMORY_MIB
    assert await memory_mib(fleet["h2"]) == await memory_mib(fleet.hub) == 1024


async def test_who_eats_too_much_is_killed_in_his_own_host_only(fleet: Fleet) -> None:
    h1, h2 = fleet["h1"], fleet["h2"]
    eat = ("python3", "-c", f"print(len(bytearray(b'x') * ({MEMORY_MIB + 100} << 20)))")
    boots = [await host.boot_id() for host in (h1, h2)]

    by_hand, as_a_unit, elsewhere = await asyncio.gather(
        h1.exec(*eat), h1.exec("systemd-run", "--wait", "--unit=eater", *eat), h2.exec(*eat)
    )

    assert (by_hand.ok, as_a_unit.ok) == (False, False)
    assert elsewhere.ok, elsewhere.err
    assert (await h1.must("systemctl", "show", "-P", "Result", "eater")).strip() in ("oom-kill", "signal")
    await h1.must("systemctl", "reset-failed", "eater")
    assert [await host.boot_id() for host in (h1, h2)] == boots
    for host in (h1, h2):
        assert (await host.must("systemctl", "is-system-running")).strip() == "running"


async def test_a_host_sees_its_own_processors(fleet: Fleet) -> None:
    for host, processors in ((fleet["h1"], 1), (fleet["h2"], os.cpu_count())):
        assert int(await host.must("nproc")) == processors
        assert int(await host.must("grep", "-c", "^processor", "/proc/cpuinfo")) == processors
        assert int(await host.must("grep", "-c", "^cpu[0-9]", "/proc/stat")) == processors


async def busy_ticks(host: Host) -> int:
    user, nice, system = (await host.must("head", "-1", "/proc/stat")).split()[1:4]
    return int(user) + int(nice) + int(system)


async def load(host: Host) -> float:
    return float((await host.read_file("/proc/loadavg")).split()[0])


async def test_a_host_s_work_is_its_own(fleet: Fleet) -> None:
    h1, h2 = fleet["h1"], fleet["h2"]
    before = [await busy_ticks(host) for host in (h1, h2)]
    spinning = h1.spawn("python3", "-c", SPIN)

    async def worked() -> bool:
        return await busy_ticks(h1) > before[0] + 100

    async def loaded() -> bool:
        return await load(h1) > await load(h2) + 0.05

    try:
        await until(worked, "h1 has worked for a second", within_s=30)
        assert await busy_ticks(h2) < before[1] + 50
        await until(loaded, "the load of h1 rises", within_s=60, every_s=0.5)
    finally:
        spinning.stop()


async def test_a_reboot_begins_the_uptime_anew(fleet: Fleet) -> None:
    async def uptime(host: Host) -> float:
        return float((await host.read_file("/proc/uptime")).split()[0])

    h1 = fleet["h1"]
    await h1.reboot()
    assert await uptime(h1) < await uptime(fleet["h2"]) < time.clock_gettime(time.CLOCK_BOOTTIME)
    assert await memory_mib(h1) == MEMORY_MIB
