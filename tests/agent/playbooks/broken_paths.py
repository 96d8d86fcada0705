"""A fake host that was well, and what was broken of its links, routes and neighbours since."""

from typing import Any

import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.fake_network import GATEWAY, GATEWAY_MAC
from tests.agent.fake_routing import apply, routing_of
from tests.agent.probes.asking import UPSTREAM, WELL

from guardian_agent.host import Address, Echo, Neighbour, Route, RouteEntry, Routing, RuleEntry
from guardian_agent.host.operations import SetLink

WRONG_MAC, IMPOSTOR = "02:00:00:00:00:bb", "02:00:00:00:00:66"
OTHER = "198.18.0.7"  # a host on the link that forwards nothing
HUBS = "198.19.0.0/16"  # the network of the one upstream
BLACKHOLE = RouteEntry(destination=HUBS, kind="blackhole", protocol=3)
PROHIBIT = RuleEntry(ipv6=False, priority=100, action="prohibit", to=HUBS, protocol=3)
HALVES = [
    RouteEntry(destination=half, gateway=OTHER, interface="host0", protocol=3) for half in ("0.0.0.0/1", "128.0.0.0/1")
]


def well() -> FakeHost:
    """All is good, and known to be."""
    host = FakeHost()
    host.known.good = msgspec.structs.replace(WELL, routing=routing_of(host.netlink).lasting({"host0"}))
    return host


def good_routing(host: FakeHost) -> Routing:
    assert host.known.good.routing is not None
    return host.known.good.routing


def link_down() -> FakeHost:
    host = well()
    apply(host.netlink, SetLink("host0", up=False))
    return host


def mtu_changed() -> FakeHost:
    host = well()
    host.netlink.links["host0"] = msgspec.structs.replace(host.netlink.links["host0"], mtu=1300)
    return host


def default_route_deleted() -> FakeHost:
    host = well()
    host.netlink.route = None
    return host


def wrong_next_hop() -> FakeHost:
    host = well()
    host.netlink.route = Route(interface="host0", gateway=OTHER, origin="boot")
    host.packets.silent.add(UPSTREAM)
    return host


def address_flushed() -> FakeHost:
    host = default_route_deleted()
    host.netlink.own["host0"].clear()
    host.packets.silent.add(UPSTREAM)
    return host


def with_prefix(prefix: int) -> FakeHost:
    """The address is there, in another network than it was."""
    host = well()
    host.netlink.own["host0"][:] = [Address(address="198.18.0.2", prefix=prefix)]
    if prefix == 32:
        host.netlink.route = None
    host.packets.silent.add(UPSTREAM)
    return host


def blackholed() -> FakeHost:
    host = well()
    host.netlink.more_routes.append(BLACKHOLE)
    return host


def halved() -> FakeHost:
    host = well()
    host.netlink.more_routes += HALVES
    host.packets.silent.add(UPSTREAM)
    return host


def prohibited() -> FakeHost:
    host = well()
    host.netlink.rules.append(PROHIBIT)
    return host


def martian() -> FakeHost:
    host = well()
    host.netlink.own["lo"] = [Address(address=UPSTREAM, prefix=32)]
    return host


def narrow(size: int = 1200) -> FakeHost:
    host = well()
    host.packets.narrow[UPSTREAM] = size
    return host


def narrow_for_real() -> FakeHost:
    """And the kernel heeds what a route says of it."""
    host = narrow()
    echo = host.packets.echo

    async def heeding(address: str, timeout_s: float, **how: Any) -> Echo:
        answer = await echo(address, timeout_s, **how)
        mtus = [one.mtu for one in host.netlink.more_routes if one.destination == f"{address}/32"]
        return msgspec.structs.replace(answer, mtu=mtus[0]) if mtus else answer

    setattr(host.packets, "echo", heeding)  # noqa: B010 - an instance's own, for mypy
    return host


def pinned_wrong() -> FakeHost:
    host = well()
    host.netlink.neighbours[GATEWAY] = Neighbour(address=GATEWAY, mac=WRONG_MAC, state="permanent")
    return host


def with_impostor() -> FakeHost:
    host = well()
    host.packets.macs[GATEWAY] = [IMPOSTOR, GATEWAY_MAC]
    host.netlink.neighbours[GATEWAY] = Neighbour(address=GATEWAY, mac=IMPOSTOR, state="stale")
    return host
