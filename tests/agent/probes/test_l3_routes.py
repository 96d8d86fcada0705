import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.probes.asking import UPSTREAM, WELL, look, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import Address, Route
from guardian_agent.probes.l3_routes import L3Routes


@pytest.mark.parametrize(
    ("way", "shown"),
    [
        (Route(interface="", gateway=None, discards="blackhole"), "blackhole"),
        (Route(interface="host0", gateway="198.18.255.254"), "via 198.18.255.254 dev host0"),
        (Route(interface="lo", gateway=None), "dev lo"),  # this host took the other one's address
        (Route(interface="host0", gateway=None, origin="kernel"), "dev host0"),
        (Route(interface="wg0", gateway="198.18.0.9", origin="dhcp"), "via 198.18.0.9 dev wg0"),
        (None, "none"),
    ],
)
async def test_another_way_than_known_good_is_wrong(way: Route | None, shown: str) -> None:
    host = FakeHost()
    host.known.good = WELL
    assert await sees(L3Routes, host) == ""
    host.netlink.routes[UPSTREAM] = way
    reading = await look(L3Routes, host)
    assert not reading.ok
    assert reading.evidence == {"to": UPSTREAM, "way": shown, "known_good": "via 198.18.0.1 dev host0"}


async def test_what_follows_the_default_route_follows_it_wherever_that_leads() -> None:
    host = FakeHost()
    host.known.good = WELL
    host.netlink.route = host.netlink.routes[UPSTREAM] = Route(interface="host0", gateway="198.18.0.9")
    assert await sees(L3Routes, host) == ""
    own_way = {UPSTREAM: Route(interface="eth1", gateway="10.0.0.1")}
    host.known.good = msgspec.structs.replace(WELL, routes=own_way)
    assert await sees(L3Routes, host) == "route_wrong"


async def test_a_gateway_that_dhcp_has_moved_is_not_wrong() -> None:
    host = FakeHost()
    host.known.good = WELL
    host.netlink.routes[UPSTREAM] = Route(interface="host0", gateway="198.18.0.9", origin="dhcp")
    assert await sees(L3Routes, host) == ""


async def test_a_floating_address_that_came_to_this_host_is_not_wrong() -> None:
    host = FakeHost()
    host.known.good = WELL
    host.netlink.routes[UPSTREAM] = Route(interface="lo", gateway=None)
    host.netlink.own["lo"] = [Address(address=UPSTREAM, prefix=32)]
    assert await sees(L3Routes, host) == "route_wrong"
    host.netlink.own["host0"].append(Address(address=UPSTREAM, prefix=32))
    assert await sees(L3Routes, host) == ""


async def test_nothing_is_judged_before_something_is_known() -> None:
    with pytest.raises(ProbeError, match="known to be good"):
        await look(L3Routes, FakeHost())
