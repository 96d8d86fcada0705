"""What the probes of layers 1 to 3 see with real packets, when a real link is broken as links are."""

import asyncio

import pytest
from tests.agent.host.wire import FAR, FAR6, FARTHER, HOST, OTHER_MAC, ROUTER, ROUTER_MAC, Wire

from guardian_agent.errors import ProbeError
from guardian_agent.host.packets import LocalPackets

KNOWN = {
    "uplink": "up0",
    "upstream": [FAR, FARTHER],
    "neighbours": {ROUTER: ROUTER_MAC},
    "addresses": [f"{HOST}/24"],
    "echoing_gateways": [ROUTER],
}
ALL = ("l1_loss", "l2_neighbour", "l2_gateway_mac", "l2_duplicate_address", "l3_gateway", "l3_upstream", "l3_path_mtu")


def seen(wire: Wire, probe_id: str) -> bool | str:
    """Whether it is well; else its issue type, where it says one."""
    reading = wire.look(probe_id, **KNOWN)
    assert not isinstance(reading, str), reading
    return reading["ok"] or reading["issue_type"] or False


def drops(wire: Wire, rule: str) -> None:
    """In the router, of what comes from the host."""
    chain = f"chain c {{ type filter hook ingress device up-port priority 0; {rule} drop; }}"
    wire.nft(wire.router, f"table netdev t {{ {chain}; }}")


def test_on_a_healthy_link_all_is_well(wire: Wire) -> None:
    readings = wire.ask(*(("look", [probe_id], KNOWN) for probe_id in ALL for _ in range(3)))
    assert [isinstance(reading, dict) and reading["ok"] for reading in readings] == [True] * len(readings), readings


def test_arp_that_is_dropped_is_a_neighbour_that_failed(wire: Wire) -> None:
    drops(wire, "ether type arp")
    assert seen(wire, "l2_neighbour") is False
    wire.nft(wire.router, "delete table netdev t")
    assert seen(wire, "l2_neighbour") is True


def test_a_wrong_mac_pinned_to_the_gateway_is_a_neighbour_that_failed_and_the_gateway_is_the_same(wire: Wire) -> None:
    wire.ip(wire.host, f"neigh replace {ROUTER} lladdr 02:00:00:00:00:99 dev up0 nud permanent")
    assert seen(wire, "l2_neighbour") is False
    assert seen(wire, "l2_gateway_mac") is True
    assert seen(wire, "l3_gateway") is False


def test_an_impostor_is_seen_until_the_gateways_own_mac_is_pinned(wire: Wire) -> None:
    wire.ip(wire.other, f"addr add {ROUTER}/32 dev other0")
    assert seen(wire, "l2_gateway_mac") is False
    assert OTHER_MAC in wire.look("l2_gateway_mac", **KNOWN)["evidence"]["answered_by"]
    wire.ip(wire.host, f"neigh replace {ROUTER} lladdr {ROUTER_MAC} dev up0 nud permanent")
    assert seen(wire, "l2_gateway_mac") is True
    assert seen(wire, "l2_neighbour") is True


def test_a_host_with_our_address_is_seen(wire: Wire) -> None:
    wire.ip(wire.other, f"addr add {HOST}/32 dev other0")
    assert seen(wire, "l2_duplicate_address") is False


def test_a_gateway_that_forwards_nothing_leaves_the_upstream_unreachable(wire: Wire) -> None:
    drops(wire, f"ip daddr {{ {FAR}, {FARTHER} }}")
    assert seen(wire, "l3_gateway") is True
    assert seen(wire, "l3_upstream") is False
    wire.nft(wire.router, f"add rule netdev t c ip daddr {ROUTER} drop")
    assert seen(wire, "l3_gateway") is False
    assert wire.look("l3_upstream", **KNOWN).startswith("ProbeError: the gateway does not answer")


def test_a_black_hole_for_long_packets_is_seen_until_the_host_sends_shorter_ones(wire: Wire) -> None:
    drops(wire, f"ip daddr {{ {FAR}, {FARTHER} }} ip length > 1200")
    assert seen(wire, "l3_path_mtu") is False
    assert seen(wire, "l3_upstream") is True
    wire.ip(wire.host, f"route add {FAR} via {ROUTER} mtu 1200")
    assert wire.look("l3_path_mtu", **{**KNOWN, "upstream": [FAR]})["ok"]


def test_a_narrow_way_that_says_so_is_well(wire: Wire) -> None:
    wire.ip(wire.router, f"link add thin mtu 1300 type veth peer name end netns {wire.other}", "link set thin up")
    wire.ip(wire.router, "addr add 10.7.0.1/24 dev thin")
    wire.ip(wire.other, "link set end up", "addr add 10.7.0.7/24 dev end", "route add default via 10.7.0.1")
    reading = wire.look("l3_path_mtu", **{**KNOWN, "upstream": ["10.7.0.7"]})
    assert reading["ok"] and reading["evidence"]["announced_mtu"] == 1300


def test_a_link_that_loses_four_of_ten_is_told_from_a_whole_one_and_from_a_dead_one(wire: Wire) -> None:
    drops(wire, "icmp type echo-request numgen inc mod 10 < 4")
    assert seen(wire, "l1_loss") is False
    wire.nft(wire.router, "add rule netdev t c drop")
    assert wire.look("l1_loss", **KNOWN).startswith("ProbeError")


def test_a_slow_link_is_told_by_its_round_trips(wire: Wire) -> None:
    slow = "root tbf rate 100kbit burst 1540 latency 5s"
    wire.run(wire.router, "tc", "qdisc", "add", "dev", "up-port", *slow.split())
    wire.ask(*(("echo", [ROUTER, 0.05], {"size_bytes": 1400}) for _ in range(12)))  # fills the queue: 1.4 s
    reading = wire.look("l1_loss", **KNOWN)
    assert reading["issue_type"] == "high_latency", reading


def test_both_families_are_asked_the_same_way(wire: Wire) -> None:
    reading = wire.look("l3_upstream", **{**KNOWN, "upstream": [FAR, FAR6]})
    assert reading["ok"] and reading["evidence"]["asked"] == 2


def test_what_is_no_address_is_no_verdict() -> None:
    with pytest.raises(ProbeError, match="no IP address"):
        asyncio.run(LocalPackets().owners("10.9.0", "lo", 0.1))
