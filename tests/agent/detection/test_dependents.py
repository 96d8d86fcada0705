import asyncio
from typing import Any

import msgspec
import pytest
from tests.agent.detection.host_watches import canary, watch_of
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB, Scene, nginx, running, until

from guardian_agent.host import KnownGood
from guardian_agent.model import Component, Incident, Outcome
from guardian_agent.probes.base import PATH

DATABASE = Component(name="database", unit="database.service")
FRONT = msgspec.structs.replace(WEB, depends_on=("database",))


async def test_what_a_failing_dependency_explains_is_not_restarted() -> None:
    host = FakeHost()
    database, unit = host.unit("database.service"), nginx(host)
    async with running(host, DATABASE, FRONT) as scene:
        database.restart_after_s = 3600.0  # systemd goes first, so it is open for a while
        database.crash()
        unit.crash()
        await asyncio.sleep(5.0)
        incidents = {incident.target: incident for incident in scene.incidents}
        assert incidents["web"].explained_by == incidents["database"].incident_id
        assert not any("nginx" in change for change in host.changes())


async def test_what_rests_on_something_held_is_held_too_and_pages_nobody() -> None:
    host = FakeHost()
    database, unit = host.unit("database.service"), nginx(host)
    async with running(host, DATABASE, FRONT) as scene:
        await database.by_hand("stop")
        unit.crash()
        await asyncio.sleep(60.0)
        (incident,) = [incident for incident in scene.incidents if incident.target == "web"]
        assert incident.held and scene.remedies == [] and scene.pages == []
        assert not any("nginx" in change for change in host.changes())


async def test_once_what_was_held_is_back_the_rest_is_mended() -> None:
    host = FakeHost()
    database, unit = host.unit("database.service"), nginx(host)
    async with running(host, DATABASE, FRONT) as scene:
        await database.by_hand("stop")
        unit.crash()
        await asyncio.sleep(60.0)
        await database.by_hand("start")
        await asyncio.sleep(120.0)
        assert [outcome for _, outcome in scene.outcomes] == [Outcome.HEALED]


# What the host's own incidents account for


class Network:
    """A host whose uplink and whose look across it a test breaks: at the gateway, and at the component's own page."""

    def __init__(self) -> None:
        self.carrier: Any = canary("l1_carrier", issue="link_down")
        self.gateway: Any = canary("l3_gateway", issue="gateway_unreachable", ground=("l1_carrier",))
        self.crossing: Any = canary("l7_dns", issue="connection_timeout", ground=PATH)
        self.watches = [watch_of(self.carrier), watch_of(self.gateway), watch_of(self.crossing, target="web")]

    def breaks(self, *kinds: Any) -> None:
        for kind in kinds:
            kind.good = False

    def mends(self) -> None:
        for kind in (self.carrier, self.gateway, self.crossing):
            kind.good = True


def by_target(scene: Scene) -> dict[str, Incident]:
    return {incident.target: incident for incident in scene.incidents}


async def test_with_the_link_down_what_crosses_it_is_explained_and_nothing_is_restarted() -> None:
    host, network = FakeHost(), Network()
    nginx(host)
    async with running(host, WEB, watches=network.watches) as scene:
        network.breaks(network.carrier, network.gateway, network.crossing)
        await asyncio.sleep(600.0)
        incidents = by_target(scene)
        link = incidents["host:carrier"]
        assert (link.issue_type, link.layer, link.explained_by) == ("link_down", 1, "")
        assert {name: incident.explained_by for name, incident in incidents.items() if incident is not link} == {
            "host:gateway": link.incident_id,
            "web": link.incident_id,
        }
        assert host.done == [] and scene.pages == ["ladder_exhausted"], "one page, for the link"
        network.mends()
        await asyncio.sleep(30.0)
        assert all(incident.closed_at for incident in scene.incidents) and host.done == []


async def test_a_crashed_service_is_healed_with_the_link_down() -> None:
    host, network = FakeHost(), Network()
    unit = nginx(host)
    async with running(host, WEB, watches=network.watches) as scene:
        network.breaks(network.carrier, network.crossing)
        await until(lambda: by_target(scene).get("web") is not None and by_target(scene)["web"].explained_by != "")
        unit.crash()
        took_s = await until(lambda: unit.up, within_s=60.0)
        await asyncio.sleep(5.0)
        assert took_s < 3.0 and scene.outcomes[0] == ("restart_service", Outcome.HEALED)
        assert by_target(scene)["web"].issue_type == "service_failed"


async def test_what_never_was_good_explains_nothing() -> None:
    host, network = FakeHost(), Network()
    nginx(host)
    network.breaks(network.gateway)
    async with running(host, WEB, settled=False, watches=network.watches) as scene:
        await asyncio.sleep(10.0)
        network.breaks(network.crossing)
        await asyncio.sleep(60.0)
        assert list(by_target(scene)) == ["web"] and by_target(scene)["web"].explained_by == ""
        assert host.done != [], "it is the component's own, and is tried to be mended"


@pytest.mark.parametrize("layer", ["l1_carrier", "host_disk"])
async def test_a_shortage_stops_explaining_once_a_human_was_called_and_a_dead_link_does_not(layer: str) -> None:
    host = FakeHost()
    nginx(host)
    below, above = canary(layer), canary("l7_dns", issue="service_hung", ground=(layer,))
    async with running(host, WEB, watches=[watch_of(below), watch_of(above, target="web")]) as scene:
        below.good = above.good = False
        await asyncio.sleep(120.0)
        assert ("ladder_exhausted" in scene.pages) and (host.done != []) == (layer == "host_disk")


async def test_a_remote_dependency_behind_a_dead_link_is_explained_too() -> None:
    host = FakeHost()
    nginx(host)
    below, remote = canary("l1_carrier"), canary("l4_connect", ground=("l1_carrier",))
    watches = [watch_of(below), watch_of(remote, target="tcp:10.0.0.5:5432")]
    async with running(host, WEB, watches=watches) as scene:
        below.good = remote.good = False
        await asyncio.sleep(60.0)
        incidents = by_target(scene)
        assert incidents["tcp:10.0.0.5:5432"].explained_by == incidents["host:carrier"].incident_id
        assert scene.pages == ["ladder_exhausted"]


async def test_what_rests_on_something_that_has_just_come_back_gets_a_moment_to_notice() -> None:
    host = FakeHost()
    database, unit = host.unit("database.service"), nginx(host)
    async with running(host, DATABASE, FRONT) as scene:
        database.crash()
        unit.status = 503
        await until(lambda: database.up and "database" not in scene.agent.incidents.open, within_s=10.0)
        await asyncio.sleep(1.0)
        unit.status = 200
        await asyncio.sleep(30.0)
        assert not any("nginx" in change for change in host.changes())


async def test_a_fault_of_its_own_is_mended_also_then() -> None:
    host = FakeHost()
    database, unit = host.unit("database.service"), nginx(host)
    async with running(host, DATABASE, FRONT) as scene:
        database.crash()
        await until(lambda: database.up and "database" not in scene.agent.incidents.open, within_s=10.0)
        unit.crash()
        assert await until(lambda: unit.up, within_s=10.0) < 1.0


@pytest.mark.parametrize(
    ("lower", "issue", "asks", "restarted"),
    [
        ("l2_mtu", "mtu_changed", "198.18.0.2", True),
        ("l2_gateway_mac", "gateway_changed", "198.18.0.2", True),
        ("l3_addresses", "address_lost", "198.18.0.2", False),
        ("l2_mtu", "mtu_changed", "198.18.0.9", False),
    ],
)
async def test_the_wire_accounts_for_nothing_at_an_own_address(
    lower: str, issue: str, asks: str, restarted: bool
) -> None:
    host = FakeHost()
    nginx(host)
    below: Any = canary(lower, issue=issue)
    above: Any = canary("l7_far", issue="connection_timeout", ground=PATH, asks=asks)
    host.known.good = KnownGood(addresses=("198.18.0.2/16",))
    async with running(host, WEB, watches=[watch_of(below), watch_of(above, target="web")]) as scene:
        below.good = above.good = False
        await asyncio.sleep(30.0)
        assert bool(scene.outcomes) is restarted, scene.outcomes
