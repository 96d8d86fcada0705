"""The bed itself: what tests on it rely on."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from tests.bed.commands import CommandError, run
from tests.bed.fleet import CHECKOUT, Fleet
from tests.bed.guardian import TLS_FOLDER, Guardian
from tests.bed.image import KEPT_FOLDER
from tests.bed.runs import CGROUP_ROOTS, RUNS, SCRATCH, Run, known_runs, mounted, sweep
from tests.bed.waiting import until
from tests.bed.watch import Outage, Sample, outages, watching


def boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


async def test_every_host_runs_its_own_systemd_and_nothing_failed(fleet: Fleet) -> None:
    assert len({await host.boot_id() for host in fleet.hosts.values()}) == 3
    for host in fleet.hosts.values():
        assert (await host.exec("systemctl", "is-system-running")).out.strip() == "running"
        assert await host.must("systemctl", "--failed", "--no-legend") == ""
        assert (await host.must("hostname")).strip() == host.name


async def test_the_hub_reaches_nginx_over_the_router(fleet: Fleet) -> None:
    assert "Welcome to nginx" in await fleet.hub.must("curl", "-sS", f"http://{fleet['h1'].address}/")
    assert fleet["h1"].network.gateway in await fleet["h1"].must("ip", "route", "get", fleet.hub.address)


async def test_exec_tells_codes_and_output_apart(fleet: Fleet) -> None:
    done = await fleet["h1"].exec("sh", "-c", "cat; echo broken >&2; exit 7", stdin=b"fed")
    assert (done.code, done.out, done.err) == (7, "fed", "broken\n")
    with pytest.raises(CommandError, match="ended with 7: broken"):
        done.check()


async def test_exec_ends_what_takes_too_long(fleet: Fleet) -> None:
    with pytest.raises(CommandError, match="still running after"):
        await fleet["h1"].exec("sh", "-c", "sleep 4321; true", timeout_s=0.3)

    async def gone() -> bool:
        return not (await fleet["h1"].exec("pgrep", "-f", "^sleep 4321")).ok

    await until(gone, "nothing of it is left", within_s=2)


async def test_what_is_stopped_leaves_no_zombie(fleet: Fleet) -> None:
    for _ in range(5):
        assert fleet["h1"].spawn("sh", "-c", "sleep 4322; true").stop() in (-signal.SIGTERM, 143)
    assert "Z" not in (await fleet["h1"].must("ps", "-eo", "stat="))


async def test_files_are_written_with_owner_and_mode(fleet: Fleet) -> None:
    await fleet["h1"].write_file("/srv/new/file", "hello", mode="0640", owner="guardian")
    assert await fleet["h1"].read_file("/srv/new/file") == "hello"
    assert (await fleet["h1"].must("stat", "-c", "%U %a", "/srv/new/file")).strip() == "guardian 640"


async def test_a_cut_host_is_reached_by_nobody_until_it_is_healed(fleet: Fleet) -> None:
    h1, h2 = fleet["h1"], fleet["h2"]
    async with watching(fleet.hub, f"http://{h1.address}/") as watch:
        await h1.cut()
        await watch.wait_bad(after=boottime())
        assert not (await h1.exec("ping", "-c1", "-W1", fleet.hub.address)).ok
        assert not (await h2.exec("ping", "-c1", "-W1", h1.address)).ok
        assert (await h2.exec("ping", "-c1", "-W1", fleet.hub.address)).ok
        await h1.heal()
        await watch.wait_good(after=boottime())
    assert len(watch.outages()) == 1


async def test_the_client_measures_an_outage_from_outside(fleet: Fleet) -> None:
    h1 = fleet["h1"]
    async with watching(fleet.hub, f"http://{h1.address}/", interval_s=0.02) as watch:
        before = boottime()
        await h1.must("systemctl", "stop", "nginx")
        stopped = boottime()
        await asyncio.sleep(0.4)
        starting = boottime()
        await h1.must("systemctl", "start", "nginx")
        await watch.wait_good(after=boottime())
        (outage,) = watch.outages()
    assert before - 0.25 <= outage.start <= stopped + 0.1
    assert outage.end is not None
    assert starting < outage.end


def test_outages_are_told_by_the_order_of_asking() -> None:
    def sample(asked: float, status: int | None) -> Sample:
        return Sample(asked, asked + 0.1, status, None)

    seen = [sample(3, 200), sample(1, 200), sample(2, None), sample(2.5, 500), sample(4, None)]
    assert outages(seen) == [Outage(2, 3.1), Outage(4, None)]


async def test_a_reboot_is_a_new_boot_with_the_old_disk(fleet: Fleet) -> None:
    h2 = fleet["h2"]
    before = await h2.boot_id()
    await h2.must("logger", "said before the reboot")
    await h2.write_file("/var/lib/kept", "kept")
    await h2.reboot()
    assert await h2.boot_id() != before
    assert await h2.read_file("/var/lib/kept") == "kept"
    assert "said before the reboot" in await h2.journal()
    assert "Welcome to nginx" in await fleet.hub.must("curl", "-sS", f"http://{h2.address}/")


async def test_a_host_without_power_comes_back_when_started(fleet: Fleet) -> None:
    h2 = fleet["h2"]
    before = await h2.boot_id()
    await h2.kill()
    assert not h2.running()
    h2.start()
    await h2.wait_up(unlike=before)
    assert (await fleet.hub.exec("curl", "-sS", f"http://{h2.address}/")).ok


async def test_nginx_is_reinstalled_without_a_network(fleet: Fleet) -> None:
    await fleet["h1"].must("sh", "-c", f"dpkg -i {KEPT_FOLDER}/nginx*.deb", timeout_s=60)
    assert (await fleet["h1"].must("systemctl", "is-active", "nginx")).strip() == "active"


async def test_the_authority_is_trusted_for_the_names_it_wrote(fleet: Fleet) -> None:
    guardian = await Guardian.on(fleet)
    await guardian.install_certificate(fleet.hub, "guardian-aggregator")
    trust = ("openssl", "verify", "-CAfile", f"{TLS_FOLDER}/ca.pem", "-purpose", "sslserver", "-verify_ip")
    await fleet.hub.must(*trust, fleet.hub.address, f"{TLS_FOLDER}/hub.pem")
    assert not (await fleet.hub.exec(*trust, fleet["h1"].address, f"{TLS_FOLDER}/hub.pem")).ok
    assert await fleet.hub.must("stat", "-c", "%U %a", f"{TLS_FOLDER}/hub.key") == "guardian-aggregator 400\n"


async def test_a_killed_run_is_swept_by_the_next(fleet: Fleet) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bed", "up", "--hosts", "1", "--hold"),
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    killed = Run((await asyncio.wait_for(process.stdout.readline(), 120)).decode().strip())
    assert killed in known_runs()
    assert "populated 1" in (killed.cgroups()[0] / "cgroup.events").read_text()
    assert mounted(killed.view)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()

    assert killed in await sweep()

    assert killed not in known_runs()
    assert fleet.run in known_runs()
    left = [root / "guardian-bed" / killed.id for root in CGROUP_ROOTS]
    left += [RUNS / killed.id, SCRATCH / killed.id, Path("/run/netns", killed.netns)]
    assert [path for path in left if path.exists()] == []
    assert not mounted(killed.view)
    assert killed.id not in (await run("ps", "-eo", "args")).out
    assert (await fleet["h1"].exec("true")).ok
