"""Whatever becomes of the aggregator, the network or the host: every record arrives once, and tells the same times."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from tests.bed.commands import CommandError
from tests.bed.fleet import Fleet
from tests.bed.guardian import NGINX, Guardian
from tests.bed.host import Host
from tests.bed.ledger import AT_ONCE, assert_nothing_lost, assert_whole, streams
from tests.bed.waiting import until
from tests.bed.watch import watching

KILLS = 5

# A component that nobody can heal and whose port comes and goes: transitions, incidents and pages without end.
PORTS = range(9000, 9050)  # many, since one that flaps again and again is damped
FLAPPING = "".join(f'[[component]]\nname = "port-{port}"\nlisten = "tcp:127.0.0.1:{port}"\n' for port in PORTS)
FLAPPING += """
[probes.l4_listen]
interval_s = 0.5
fall = 1
rise = 1
[probes.l5_session]
enabled = false
"""
PORT = """[Service]
ExecStart=/usr/bin/python3 /usr/local/bin/port
[Install]
WantedBy=multi-user.target
"""
OPEN_OR_FLAPPING = """
import itertools, os, selectors, socket, time
selector = selectors.DefaultSelector()
def opened(number):
    listener = socket.create_server(("127.0.0.1", number))
    selector.register(listener, selectors.EVENT_READ, number)
    return listener
def serve(seconds):
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            key.fileobj.accept()[0].close()
listeners = {number: opened(number) for number in PORTS}
for number in itertools.cycle(listeners):
    serve(0.2)
    if os.path.exists("/run/flap"):
        selector.unregister(listeners[number])
        listeners[number].close()
        serve(0.6)
        listeners[number] = opened(number)
"""


@pytest.fixture(scope="module")
def guardian(fleet: Fleet) -> Guardian:
    """The aggregator on the hub, and agents on both hosts."""

    async def start() -> Guardian:
        guardian = await Guardian.on(fleet)
        await guardian.start_aggregator()
        for host in fleet.agents:
            await host.write_file("/usr/local/bin/port", OPEN_OR_FLAPPING.replace("PORTS", str(PORTS)))
            await host.write_file("/etc/systemd/system/port.service", PORT)
            await host.must("systemctl", "enable", "--quiet", "--now", "port")
            await guardian.start_agent(
                host, components=NGINX + FLAPPING, agent={"actions_per_hour": 1000}, extra=AT_ONCE
            )
        return guardian

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(start())


@pytest.fixture
async def host(fleet: Fleet, guardian: Guardian) -> AsyncIterator[Host]:
    """h1 with all its records at the aggregator, before and after."""
    await guardian.all_good(fleet["h1"])
    yield fleet["h1"]
    await guardian.all_good(fleet["h1"])


async def open_incident(guardian: Guardian, host: Host) -> dict[str, Any]:
    """The host's one open incident as the aggregator has it, once it does."""

    async def opened() -> list[dict[str, Any]]:
        return [incident for incident in await guardian.incidents(host) if incident["open"]]

    (incident,) = await until(opened, f"the aggregator knows of an incident on {host.name}", within_s=15)
    return incident


async def slow_start(host: Host, seconds: int) -> None:
    """From now on nginx takes that long to start; 0: as long as it takes."""
    folder = "/run/systemd/system/nginx.service.d"
    if seconds:
        await host.write_file(f"{folder}/slow.conf", f"[Service]\nExecStartPre=/bin/sleep {seconds}\n")
    else:
        await host.must("rm", "-rf", folder)
    await host.must("systemctl", "daemon-reload")


async def own_incidents(guardian: Guardian, host: Host) -> list[dict[str, Any]]:
    open_ones: list[dict[str, Any]] = (await guardian.status(host))["incidents"]
    return open_ones


async def healed_alone(guardian: Guardian, host: Host) -> None:
    """Waits until the host's agent says that it is over, and that nobody has heard of it yet."""

    async def over() -> bool:
        status = await guardian.status(host)
        return not status["incidents"] and status["uplink"]["unacknowledged"] > 0

    await until(over, f"{host.name} is healed", within_s=30)


async def test_the_aggregator_stopped_in_the_midst_of_an_incident_has_every_record_in_the_end(
    guardian: Guardian, host: Host
) -> None:
    hub = guardian.fleet.hub
    await slow_start(host, 2)
    try:
        async with watching(hub, f"http://{host.address}/") as watch:
            await host.must("systemctl", "kill", "--signal=KILL", "nginx")
            incident = await open_incident(guardian, host)
            await hub.must("systemctl", "stop", "guardian-aggregator")
            assert len(await own_incidents(guardian, host)) == 1
            bad = await watch.wait_bad()
            await watch.wait_good(after=bad.asked, within_s=30)
            await healed_alone(guardian, host)
    finally:
        await slow_start(host, 0)
        await hub.must("systemctl", "start", "guardian-aggregator")
    await assert_nothing_lost(guardian, host)
    told = await guardian.get(f"/api/guardian/incidents/{incident['id']}")
    assert (told["resolution"], told["playbook"]) == ("auto", "restart_service")


async def test_a_host_cut_off_heals_itself_and_tells_all_about_it_later(guardian: Guardian, host: Host) -> None:
    known = {incident["id"] for incident in await guardian.incidents(host)}
    await host.cut()
    try:
        async with watching(host, "http://127.0.0.1/") as watch:
            await host.must("systemctl", "kill", "--signal=KILL", "nginx")
            bad = await watch.wait_bad()
            await watch.wait_good(after=bad.asked, within_s=30)
            await healed_alone(guardian, host)
        assert {incident["id"] for incident in await guardian.incidents(host)} == known
    finally:
        await host.heal()
    await assert_nothing_lost(guardian, host)
    (told,) = [incident for incident in await guardian.incidents(host) if incident["id"] not in known]
    assert (told["resolution"], told["playbook"]) == ("auto", "restart_service")


async def test_the_aggregator_killed_while_ingesting_loses_nothing_and_stores_nothing_twice(
    guardian: Guardian, host: Host
) -> None:
    hosts, hub = guardian.fleet.agents, guardian.fleet.hub
    try:
        for each in hosts:
            await each.must("touch", "/run/flap")
        seen = await watermarks(guardian)
        for _ in range(KILLS):
            seen = await until(partial(advanced, guardian, seen), "20 more records of each host", within_s=40)
            await hub.must("systemctl", "kill", "--signal=KILL", "guardian-aggregator")
        await until(partial(advanced, guardian, seen), "20 more after the last kill", within_s=40)
    finally:
        for each in hosts:
            await each.must("rm", "/run/flap")
    for each in hosts:
        own = await assert_nothing_lost(guardian, each)
        (stream,) = await streams(hub, each.name)
        assert stream.gaps == []
        assert own.next_seq > KILLS * 20


async def watermarks(guardian: Guardian) -> dict[str, int]:
    return {host["id"]: host["watermark"] for host in (await guardian.get("/api/guardian/hosts"))["hosts"]}


async def advanced(guardian: Guardian, before: dict[str, int]) -> dict[str, int]:
    """The watermarks, if each is 20 beyond where it was; nothing while the aggregator is not up again."""
    try:
        now = await watermarks(guardian)
    except CommandError:
        return {}
    return now if all(now[name] >= before[name] + 20 for name in before) else {}


async def test_an_open_incident_survives_a_reboot(guardian: Guardian, host: Host) -> None:
    # In a container these two lay the whole machine's boot id over the host's own; a real host has but one.
    own_boot_id = "/etc/systemd/system/guardian-agent.service.d/boot-id.conf"
    await host.write_file(own_boot_id, "[Service]\nProtectKernelTunables=no\nProtectControlGroups=no\n")
    folder = "/etc/systemd/system/nginx.service.d"
    await host.write_file(f"{folder}/broken.conf", "[Service]\nExecStart=\nExecStart=/bin/false\n")
    await host.must("systemctl", "daemon-reload")
    await host.must("systemctl", "restart", "guardian-agent")
    before = (await streams(guardian.fleet.hub, host.name))[-1]
    try:
        await host.must("systemctl", "kill", "--signal=KILL", "nginx")
        incident = await open_incident(guardian, host)

        async def given_up() -> bool:
            told: dict[str, Any] = await guardian.get(f"/api/guardian/incidents/{incident['id']}")
            return bool(told["exhausted"])

        await until(given_up, "the ladder is exhausted", within_s=30)
        await host.reboot()

        async def back() -> list[dict[str, Any]]:
            if not (await host.exec("systemctl", "is-active", "--quiet", "guardian-agent")).ok:
                return []
            return await own_incidents(guardian, host)

        (own,) = await until(back, "the agent has its incident again", within_s=30)
        assert own["incident_id"] == incident["id"]
        boot_id = await host.boot_id()

        async def tried_again() -> bool:
            ran = (await guardian.status(host))["recent_executions"]
            return (
                sum(each["started_at"]["boot_id"] == boot_id and each["outcome"] == "rolled_back" for each in ran) >= 2
            )

        await until(tried_again, "the ladder is exhausted in this boot, too", within_s=30)
    finally:
        await host.must("rm", "-r", folder)
        await host.must("systemctl", "daemon-reload")
    await host.must("systemctl", "reset-failed", "nginx")
    await host.must("systemctl", "start", "nginx")
    await assert_nothing_lost(guardian, host)
    told = await guardian.get(f"/api/guardian/incidents/{incident['id']}")
    assert told["closed_at"]
    assert (told["across_boots"], told["resolution"]) == (True, "manual")
    (stream,) = await streams(guardian.fleet.hub, host.name)
    assert stream.epoch == before.epoch
    assert stream.watermark > before.watermark
    assert_whole(stream)
