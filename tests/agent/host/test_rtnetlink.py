"""Which way would a packet go, and what do links and addresses say besides: of a real kernel, in a namespace."""

import pytest
from tests.agent.host.test_netlink import Namespace, bare, net, shown, way

__all__ = ["bare", "net"]


def ways(net: Namespace, *addresses: str) -> list[object]:
    return list(net.ask(*(("route_to", address) for address in addresses)))


def test_a_way_is_told_as_the_kernel_would_take_it(net):
    net.ip("route add default via 10.9.0.1", "-6 route add default via 2001:db8:9::1")
    assert ways(net, "192.0.2.1", "10.9.0.9", "2001:db8:1::1", "10.9.0.2", "192.0.2.256") == [
        way("up0", "10.9.0.1"),
        way("up0", None),
        way("up0", "2001:db8:9::1"),
        way("lo", None),
        "no IP address: '192.0.2.256'",
    ]


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit"])
def test_what_would_be_thrown_away_is_said_to_be(net, kind):
    net.ip("route add default via 10.9.0.1", f"route add {kind} 192.0.2.0/24")
    assert ways(net, "192.0.2.1", "198.51.100.1") == [way("", None, kind), way("up0", "10.9.0.1")]


def test_rules_and_halves_of_a_default_route_count(net):
    net.ip("route add default via 10.9.0.1", "rule add to 192.0.2.0/24 priority 100 prohibit")
    assert ways(net, "192.0.2.1") == [way("", None, "prohibit")]
    net.ip("rule del to 192.0.2.0/24 priority 100 prohibit", "route add 128.0.0.0/1 via 10.9.0.7")
    assert ways(net, "192.0.2.1", "1.1.1.1") == [way("up0", "10.9.0.7"), way("up0", "10.9.0.1")]


def test_an_address_that_this_host_took_leads_to_itself(net):
    net.ip("route add default via 10.9.0.1", "link set lo up", "addr add 192.0.2.1/32 dev lo")
    assert ways(net, "192.0.2.1") == [way("lo", None)]


def test_without_any_way_there_is_none(net):
    assert ways(net, "192.0.2.1") == [None]


def test_there_is_a_default_route_for_each_family(net):
    assert net.ask(("default_routes",)) == [[]]
    net.ip("-6 route add default via 2001:db8:9::1", "route add default via 10.9.0.1")
    assert net.ask(("default_routes",)) == [[way("up0", "10.9.0.1"), way("up0", "2001:db8:9::1")]]


def test_a_link_tells_its_mtu_its_mac_and_how_often_its_carrier_changed(net):
    (before,) = net.ask(("link", "up0"))
    net.ip("link set up0 mtu 1400", "link set far0 down", "link set far0 up")
    (after,) = net.ask(("link", "up0"))
    assert (before["mtu"], after["mtu"], after["mac"]) == (1500, 1400, "02:00:00:00:00:01")
    assert after["carrier_changes"] == before["carrier_changes"] + 2
    assert after["counters"] is None


def test_addresses_say_which_of_them_pass(net):
    net.ip("-6 addr add 2001:db8:9::5/64 dev up0 nodad preferred_lft 0")
    (addresses,) = net.ask(("addresses", "up0"))
    assert shown(addresses) == ["10.9.0.2/24", "2001:db8:9::5/64", "2001:db8:9::2/64"] or len(addresses) == 3
    assert {one["address"]: one["lasting"] for one in addresses} == {
        "10.9.0.2": True,
        "2001:db8:9::2": True,
        "2001:db8:9::5": False,
    }
