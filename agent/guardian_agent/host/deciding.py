"""Where would the kernel send a packet, by all its routes, rules and addresses, and by which of them?"""

import ipaddress

import msgspec

from guardian_agent.host.protocols.netlink import Route
from guardian_agent.host.protocols.routing import (
    DISCARDING,
    LOCAL_TABLE,
    MAIN_TABLE,
    AddressEntry,
    RouteEntry,
    Routing,
    RuleEntry,
)


class Decision(msgspec.Struct, frozen=True):
    """What decides: an address of this host itself, or a rule and the route in the table that it looks up."""

    address: AddressEntry | None = None
    rule: RuleEntry | None = None
    route: RouteEntry | None = None

    def way(self) -> Route | None:
        """As `Netlink.route_to` answers; None: there is no way at all."""
        if self.address is not None:
            return Route(interface="lo", gateway=None)
        if self.rule is not None and self.rule.action in DISCARDING:
            return Route(interface="", gateway=None, discards=self.rule.action)
        return way_of(self.route) if self.route is not None else None


def decide(routing: Routing, address: str) -> Decision:
    """Of a packet of this host's own, without a mark and a source address of its choosing.

    Rules in their order; in a table the longest prefix, then the lowest metric (ip-rule(8), ip-route(8)). Raises
    ValueError for what is no address.
    """
    plain = ipaddress.ip_address(address)
    own = next((one for one in routing.addresses if one.address == str(plain)), None)
    if own is not None:
        return Decision(address=own)
    for rule in sorted(routing.rules, key=lambda rule: rule.priority):
        if rule.ipv6 != (plain.version == 6) or rule.is_selective or not covers(rule.to, address):
            continue
        if rule.action in DISCARDING:
            return Decision(rule=rule)
        if rule.action == "lookup" and rule.table != LOCAL_TABLE:
            found = _best(routing, rule.table, address)
            if found is not None and found.kind != "throw":
                return Decision(rule=rule, route=found)
    return Decision()


def best_default(routing: Routing, *, ipv6: bool) -> RouteEntry | None:
    """The main table's default route with the lowest metric."""
    found = [one for one in routing.routes if one.is_default and one.is_ipv6 == ipv6 and one.table == MAIN_TABLE]
    found = [one for one in found if one.kind == "unicast"]
    return min(found, key=lambda route: (route.metric, route.interface, route.gateway), default=None)


def covers(network: str, address: str) -> bool:
    """Whether an address is in a network, ADDRESS/PREFIX; the empty one has all of them in it."""
    return not network or ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)


def prefix_of(network: str) -> int:
    return int(network.rpartition("/")[2])


def way_of(route: RouteEntry) -> Route:
    """As `Netlink.route_to` answers when this route decides."""
    discards = "" if route.kind == "unicast" else route.kind
    return Route(interface=route.interface, gateway=route.gateway or None, discards=discards)


def _best(routing: Routing, table: int, address: str) -> RouteEntry | None:
    found = [one for one in routing.routes if one.table == table and covers(one.destination, address)]
    return min(found, key=lambda one: (-prefix_of(one.destination), one.metric), default=None)
