import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.probes.asking import WELL, look, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import Route
from guardian_agent.probes.l3_default_route import L3DefaultRoute


def with_route(route: Route | None) -> FakeHost:
    host = FakeHost()
    host.known.good = WELL
    host.netlink.route = route
    return host


@pytest.mark.parametrize(
    ("route", "issue"),
    [
        (Route(interface="host0", gateway="198.18.0.1"), ""),
        (None, "route_missing"),
        (Route(interface="host0", gateway="198.18.0.9"), "route_wrong"),
        (Route(interface="wg0", gateway="198.18.0.1"), "route_wrong"),
        (Route(interface="host0", gateway="198.18.0.9", origin="dhcp"), ""),
        (Route(interface="host0", gateway="198.18.0.1", origin="boot"), ""),
        (Route(interface="wg0", gateway="198.18.0.9", origin="dhcp"), "route_wrong"),
        (Route(interface="wg0", gateway=None, family="ipv4"), "route_wrong"),
        (Route(interface="wg0", gateway=None, family="ipv6"), "route_missing"),
        (Route(interface="host0", gateway="fe80::1"), "route_missing"),  # the other family's does not replace it
    ],
)
async def test_a_default_route_is_as_known_good_or_missing_or_wrong(route: Route | None, issue: str) -> None:
    assert await sees(L3DefaultRoute, with_route(route)) == issue


async def test_each_family_that_had_one_must_have_one() -> None:
    host = with_route(Route(interface="host0", gateway="198.18.0.1"))
    both = (*WELL.default_routes, Route(interface="host0", gateway="fe80::1"))
    host.known.good = msgspec.structs.replace(WELL, default_routes=both)
    reading = await look(L3DefaultRoute, host)
    assert reading.issue_type == "route_missing" and reading.evidence["known_good"] == "via fe80::1 dev host0"


async def test_where_the_host_has_another_uplink_no_family_is_merely_missing() -> None:
    host = with_route(Route(interface="eth1", gateway="198.18.0.1"))
    host.netlink.links["eth1"] = msgspec.structs.replace(host.netlink.links["host0"], name="eth1")
    host.known.good = msgspec.structs.replace(WELL, default_routes=(Route(interface="host0", gateway="fe80::1"),))
    assert await sees(L3DefaultRoute, host) == "route_wrong"


async def test_a_tunnel_without_a_gateway_is_told_by_its_family() -> None:
    tunnel = Route(interface="tun0", gateway=None, family="ipv6")
    host = with_route(Route(interface="host0", gateway="198.18.0.1", family="ipv4"))
    host.known.good = msgspec.structs.replace(WELL, default_routes=(*WELL.default_routes, tunnel))
    assert (await look(L3DefaultRoute, host)).evidence["known_good"] == "dev tun0"
    host.netlink.second_route = tunnel
    assert await sees(L3DefaultRoute, host) == ""


async def test_nothing_is_judged_before_something_is_known() -> None:
    with pytest.raises(ProbeError, match="known to be good"):
        await look(L3DefaultRoute, FakeHost())
