"""Two histories of one host: an aggregator restored from a backup, and a host that was cloned."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from tests.bed.fleet import Fleet
from tests.bed.guardian import Guardian
from tests.bed.host import Host
from tests.bed.ledger import AGENT_STATE, AT_ONCE, HUB_STATE, Stream, assert_whole, streams
from tests.bed.waiting import until

AGENT, HUB = "guardian-agent.service", "guardian-aggregator.service"


@pytest.fixture(scope="module")
def guardian(fleet: Fleet) -> Guardian:
    async def start() -> Guardian:
        guardian = await Guardian.on(fleet)
        await guardian.start_aggregator()
        await guardian.start_agent(fleet["h1"], agent={"actions_per_hour": 1000}, extra=AT_ONCE)
        return guardian

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(start())


@pytest.fixture
async def host(fleet: Fleet, guardian: Guardian) -> AsyncIterator[Host]:
    await guardian.all_good(fleet["h1"])
    yield fleet["h1"]


async def an_incident(guardian: Guardian, host: Host) -> dict[str, Any]:
    """Breaks nginx, and waits until it is healed and the aggregator has all of it."""
    broken_at = datetime.now(UTC)
    await host.must("systemctl", "kill", "--signal=KILL", "nginx")

    async def over() -> list[dict[str, Any]]:
        every = [incident for incident in await guardian.incidents(host) if incident["closed_at"]]
        return [incident for incident in every if datetime.fromisoformat(incident["first_bad_at"]) >= broken_at]

    (incident,) = await until(over, "an incident is over", within_s=30)
    await guardian.all_good(host)
    return incident


async def test_an_aggregator_restored_from_a_backup_names_what_it_lost_and_goes_on(
    guardian: Guardian, host: Host
) -> None:
    hub = guardian.fleet.hub
    kept = await an_incident(guardian, host)
    await hub.must("systemctl", "stop", HUB)
    await hub.must("cp", "-a", HUB_STATE, "/var/lib/backup")
    await hub.must("systemctl", "start", HUB)
    (before,) = await streams(hub, "h1")
    lost = await an_incident(guardian, host)
    (newer,) = await streams(hub, "h1")
    await hub.must("systemctl", "stop", HUB)
    await hub.must("sh", "-c", f"rm -rf {HUB_STATE}/* && cp -a /var/lib/backup/. {HUB_STATE}/ && rm -r /var/lib/backup")
    await hub.must("systemctl", "start", HUB)
    later = await an_incident(guardian, host)
    await assert_the_gap(guardian, before, newer)
    ids = [incident["id"] for incident in await guardian.incidents(host)]
    assert ids == [later["id"], lost["id"], kept["id"]]  # the agent told the lost one again
    told = await guardian.get(f"/api/guardian/incidents/{lost['id']}")
    assert (told["time_to_recover_seconds"], told["resolution"]) == (lost["time_to_recover_seconds"], "auto")


async def assert_the_gap(guardian: Guardian, before: Stream, newer: Stream) -> None:
    """From the backup to what was acknowledged last: known to be lost, and said so; all else is there, once."""
    (stream,) = await streams(guardian.fleet.hub, "h1")
    assert stream.epoch == newer.epoch
    assert stream.gaps == [(before.watermark + 1, newer.watermark, "lost_by_server")]
    assert stream.records[: len(before.records)] == before.records
    assert_whole(stream)
    coverage = (await guardian.get("/api/guardian/stats"))["coverage"]
    count = newer.watermark - before.watermark
    assert (coverage["complete"], coverage["gaps"], coverage["records_lost"]) == (False, 1, count)
    assert coverage["lost_by_kind"] == {"unknown": count}


@pytest.fixture
async def clone(fleet: Fleet, guardian: Guardian, host: Host) -> AsyncIterator[Host]:
    """h2 made from an image of h1: its state, its configuration, its certificate. Its agent does not run yet."""
    twin = fleet["h2"]
    await an_incident(guardian, host)
    await host.must("systemctl", "stop", AGENT)
    for folder, owner in ((AGENT_STATE, "guardian:guardian"), ("/etc/guardian", "root:root")):
        archive = await host.must("sh", "-c", f"tar -C {folder} -cf - . | base64")
        unpack = f"mkdir -p {folder} && base64 -d | tar -C {folder} -xf - && chown -R {owner} {folder}"
        await twin.must("sh", "-c", unpack, stdin=archive.encode())
    await twin.must("chown", "guardian", "/etc/guardian/tls/h1.key")
    await host.must("systemctl", "start", AGENT)
    await guardian.all_good(host)
    yield twin
    await twin.must("systemctl", "stop", AGENT)
    await twin.must("sh", "-c", f"rm -rf {AGENT_STATE}/*")


async def test_a_cloned_host_begins_an_epoch_of_its_own_and_two_of_a_name_are_both_refused(
    guardian: Guardian, host: Host, clone: Host
) -> None:
    hub = guardian.fleet.hub
    first = (await streams(hub, "h1"))[-1]
    await an_incident(guardian, host)  # the original goes on; its twin knows nothing of it
    await clone.must("systemctl", "start", AGENT)

    async def paged(reason: str) -> list[dict[str, Any]]:
        failures = (await guardian.get("/api/guardian/failures/recent"))["failures"]
        return [failure for failure in failures if failure["kind"] == "page" and failure["reason"] == reason]

    await clone.must("systemctl", "kill", "--signal=KILL", "nginx")  # it has something of its own to tell
    (fork,) = await until(lambda: paged("epoch_fork"), "the fork is paged", within_s=30)
    assert fork["host"] == "h1"

    async def two_epochs() -> list[Stream]:
        known = await streams(hub, "h1")
        return known if len(known) > 1 and all(stream.records for stream in known) else []

    old, new, *_ = await until(two_epochs, "the twin has an epoch of its own", within_s=30)
    assert (old.epoch, new.epoch != old.epoch) == (first.epoch, True)

    async def connected(it: Host) -> bool:
        return bool((await guardian.status(it))["uplink"]["connected"])

    for each in (host, clone):  # who was superseded comes back after minutes, or when it is started anew
        await until(partial(refused_as, guardian, each, "SUPERSEDED"), f"{each.name} is superseded", within_s=30)
        await each.must("systemctl", "restart", AGENT)
        if each is host:
            await until(partial(connected, each), f"{each.name} is back", within_s=30)
    (alternating,) = await until(lambda: paged("two_epochs"), "that they keep taking turns is paged", within_s=30)
    assert "two hosts call themselves h1" in alternating["text"]

    for each in (host, clone):
        await until(partial(refused_as, guardian, each, "BOTH_REFUSED"), f"{each.name} is refused", within_s=30)
    for stream in await streams(hub, "h1"):
        assert_whole(stream)
    before = await healed(guardian, host)
    await host.must("systemctl", "kill", "--signal=KILL", "nginx")  # refused or not, it heals

    async def healed_again() -> set[str]:
        return await healed(guardian, host) - before

    await until(healed_again, "the original heals itself", within_s=30)


async def healed(guardian: Guardian, host: Host) -> set[str]:
    """The newest executions that healed something, as the host's own agent has them."""
    recent = (await guardian.status(host))["recent_executions"]
    return {execution["execution_id"] for execution in recent if execution["outcome"] == "healed"}


async def refused_as(guardian: Guardian, host: Host, code: str) -> bool:
    """Whether the aggregator has refused this host's agent with that code, and the agent says so."""
    return code in (await guardian.status(host))["uplink"]["last_error"]
