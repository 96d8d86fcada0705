"""Which way would a packet go, and what do links and addresses say besides: of a real kernel, in a namespace."""

import sys

import pytest
from tests.agent.host.test_netlink import Namespace, ask_route, bare, net, plain, shown, way

__all__ = ["bare", "net"]


def ways(net: Namespace, *addresses: str) -> list[object]:
    return [plain(answer) for answer in net.ask(*(("route_to", address) for address in addresses))]


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


def test_of_several_next_hops_the_way_has_always_the_same(net):
    net.ip("route add default nexthop via 10.9.0.3 dev up0 nexthop via 10.9.0.4 dev up0")
    assert ways(net, *(f"192.0.2.{i}" for i in range(1, 9))) == [way("up0", "10.9.0.3")] * 8


REDIRECT = """
import socket, struct
def checked(packet, at):
    total = sum(struct.unpack(f">{len(packet) // 2}H", packet))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return packet[:at] + struct.pack(">H", ~total & 0xFFFF) + packet[at + 2:]
def ip(source, destination, payload):
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, 1, 0)
    return checked(head + socket.inet_aton(source) + socket.inet_aton(destination), 10) + payload
sent = ip("10.9.0.2", "192.0.2.1", bytes(8))
told = checked(struct.pack(">BBH4s", 5, 1, 0, socket.inet_aton("10.9.0.7")) + sent, 2)
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
    wire.bind(("far0", 0))
    wire.send(bytes.fromhex("0200000000010200000000aa0800") + ip("10.9.0.1", "10.9.0.2", told))
"""


def test_a_way_is_the_tables_whatever_a_router_redirected_for_a_while(net):
    net.ip(
        "route add default via 10.9.0.1",
        "neigh add 10.9.0.7 lladdr 02:00:00:00:00:07 dev up0 nud permanent",
        "neigh add 10.9.0.1 lladdr 02:00:00:00:00:aa dev up0 nud permanent",
    )
    net.run(sys.executable, "-c", REDIRECT)
    assert "via 10.9.0.7" in net.run("ip", "route", "get", "192.0.2.1")
    assert ways(net, "192.0.2.1") == [way("up0", "10.9.0.1")]


def test_there_is_a_default_route_for_each_family_with_its_origin(net):
    assert net.ask(("default_routes",)) == [[]]
    net.ip("-6 route add default via 2001:db8:9::1 proto ra", "route add default via 10.9.0.1 proto dhcp")
    assert net.ask(("default_routes",)) == [
        [
            way("up0", "10.9.0.1") | {"family": "ipv4", "origin": "dhcp"},
            way("up0", "2001:db8:9::1") | {"family": "ipv6", "origin": "ra"},
        ]
    ]
    net.ip("route flush default", "-6 route flush default", "-6 route add default dev up0 proto 186")
    assert net.ask(("default_routes",)) == [[way("up0", None) | {"family": "ipv6", "origin": "186"}]]


@pytest.mark.parametrize("gateways", [("fe80::3", "fe80::5"), ("fe80::5", "fe80::3")])
def test_of_two_routers_the_same_is_told_whichever_was_heard_first(net, gateways):
    net.ip(*(f"-6 route append default via {gateway} dev up0 metric 1024" for gateway in gateways))
    assert ask_route(net) == way("up0", "fe80::3")


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


def test_addresses_say_which_of_them_are_leased(net):
    net.ip(
        "addr add 10.9.0.3/24 dev up0 valid_lft 3600 preferred_lft 1800",
        "addr add 2001:db8:9::3/64 dev up0 nodad valid_lft 3600 preferred_lft 1800",
    )
    (addresses,) = net.ask(("addresses", "up0"))
    assert {one["address"] for one in addresses if one["leased"]} == {"10.9.0.3", "2001:db8:9::3"}
    assert len(addresses) == 4
