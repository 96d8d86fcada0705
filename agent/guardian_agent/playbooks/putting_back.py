"""Which routes, rules and addresses have to be put back or taken away, so that packets go as they went?

It is planned on a model of the kernel's decisions: each step is tried there first.
"""

import ipaddress

import msgspec

from guardian_agent.host import AddressEntry, Route, RouteEntry, Routing, RuleEntry
from guardian_agent.host.deciding import Decision, best_default, covers, decide, prefix_of, way_of
from guardian_agent.host.operations import AddAddress, AddRoute, AddRule, DeleteAddress, DeleteRoute, DeleteRule
from guardian_agent.host.protocols.routing import DISCARDING, KERNEL, NOBODYS, SCOPE_LINK
from guardian_agent.playbooks.base import Step

MOST_IN_THE_WAY = 8  # entries taken away for one destination
HALF = 1  # the prefix length of half a default route, as VPN clients lay them
PASSING = (1, 9)  # RTPROT_REDIRECT, RTPROT_RA: told again by whoever told it


class PuttingBack:
    """Steps towards a good state, and the routing as it will be after them."""

    def __init__(self, now: Routing, good: Routing) -> None:
        self.now = now
        self.good = good
        self.steps: list[Step] = []

    def add_address(self, entry: AddressEntry) -> None:
        self.steps.append(Step(AddAddress(entry), undo=DeleteAddress(entry)))
        self._change(addresses=(*self.now.addresses, entry))
        self.connect(entry.interface)

    def delete_address(self, entry: AddressEntry) -> None:
        """And first the routes that the kernel would take along, so that they too can be brought back."""
        for route in [
            one for one in self.now.routes if one.source == entry.address and one.interface == entry.interface
        ]:
            others = [one for one in self.now.addresses if one.address == entry.address and one != entry]
            if route.protocol != KERNEL and not others and route.whole:
                self._delete_route(route)
        self.steps.append(Step(DeleteAddress(entry), undo=AddAddress(entry)))
        self._change(
            addresses=tuple(one for one in self.now.addresses if one != entry),
            routes=tuple(route for route in self.now.routes if not _made_by(route, entry)),
        )
        self.connect(entry.interface)

    def connect(self, interface: str) -> None:
        """Models the routes that the kernel makes for the addresses of an interface that is up."""
        for entry in [one for one in self.now.addresses if one.interface == interface and one.routed]:
            known = any(_made_by(route, entry) for route in self.now.routes)
            if not known and not entry.network.endswith(("/32", "/128")):
                route = RouteEntry(
                    destination=entry.network,
                    interface=interface,
                    protocol=KERNEL,
                    scope=0 if entry.is_ipv6 else SCOPE_LINK,
                    source="" if entry.is_ipv6 else entry.address,
                    metric=entry.metric or (256 if entry.is_ipv6 else 0),
                )
                self._change(routes=(*self.now.routes, route))

    def add_missing_routes(self, interface: str) -> None:
        """The good routes of an interface that are not there; those that need no gateway first, since they lead to
        gateways. What routers advertise and what has no way to its gateway is left."""
        wanted = [one for one in self.good.routes if one.interface == interface and one.protocol not in PASSING]
        for route in sorted(wanted, key=lambda route: bool(route.gateway)):
            if not self._is_there(route) and self._can_be_added(route):
                self._add_route(route)

    def lead(self, address: str, wanted: Route) -> bool:
        """Plans what makes packets to an address go the good way; whether they will."""
        if self._goes(address, wanted):
            return True
        good = decide(self.good, address)
        if good.rule is not None and good.rule not in self.now.rules:
            self.steps.append(Step(AddRule(good.rule), undo=DeleteRule(good.rule)))
            self._change(rules=(*self.now.rules, good.rule))
        if good.route is not None and not self._is_there(good.route):
            self._make_room(good.route)
            if good.route.protocol not in PASSING and self._can_be_added(good.route):
                self._add_route(good.route)
        for _ in range(MOST_IN_THE_WAY):
            if self._goes(address, wanted):
                return True
            if not self._take_away(decide(self.now, address)):
                return False
        return self._goes(address, wanted)

    def lead_by_default(self, wanted: Route) -> bool:
        """Plans what makes the default route of a family the good one; whether it will be."""
        ipv6 = not wanted.same_family(Route(interface="", gateway=None, family="ipv4"))
        entry = next((one for one in self.good.routes if one.is_default and _is_way(one, wanted, ipv6=ipv6)), None)
        if entry is not None and not self._is_there(entry):
            self._make_room(entry)
            if entry.protocol not in PASSING and self._can_be_added(entry):
                self._add_route(entry)
        for _ in range(MOST_IN_THE_WAY):
            best = best_default(self.now, ipv6=ipv6)
            if best is None or _is_way(best, wanted, ipv6=ipv6):
                return best is not None
            if not self._take_away(Decision(route=best)):
                return False
        return False

    def _goes(self, address: str, wanted: Route) -> bool:
        way = decide(self.now, address).way()
        return way is not None and way.same_way(wanted)

    def _take_away(self, decision: Decision) -> bool:
        """Plans to take away what decides, where it is foreign: not known good, and nobody's but a human's."""
        if (own := decision.address) is not None:
            return self._take_away_address(own)
        rule, route = decision.rule, decision.route
        if (
            rule is not None
            and rule not in self.good.rules
            and (rule.action in DISCARDING or self._is_side_table(rule))
        ):
            self.steps.append(Step(DeleteRule(rule), undo=AddRule(rule)))
            self._change(rules=tuple(one for one in self.now.rules if one != rule))
            return True
        if route is None or route in self.good.routes or not route.whole:
            return False
        if route.protocol == KERNEL:  # it goes with the address that it was made for
            made_by = next((one for one in self.now.addresses if _made_by(route, one)), None)
            return made_by is not None and self._take_away_address(made_by)
        if route.protocol in NOBODYS:
            return False
        self._delete_route(route)
        if prefix_of(route.destination) == HALF:  # two halves are one default route
            for other in [one for one in self.now.routes if _is_other_half(one, route)]:
                self._delete_route(other)
        return True

    def _take_away_address(self, entry: AddressEntry) -> bool:
        is_home = ipaddress.ip_address(entry.address).is_loopback
        if entry in self.good.addresses or entry.leased or is_home:
            return False
        self.delete_address(entry)
        return True

    def _is_side_table(self, rule: RuleEntry) -> bool:
        return not any(one.table == rule.table and not one.is_selective for one in self.good.rules)

    def _make_room(self, entry: RouteEntry) -> None:
        """IPv4 has one route for a destination, table and metric: a foreign one in the place of a good one goes."""
        rival = next((one for one in self.now.routes if _same_place(one, entry) and not entry.is_ipv6), None)
        if rival is not None:
            self._take_away(Decision(route=rival))

    def _is_there(self, route: RouteEntry) -> bool:
        """By its way and place: who put it there, and the source that it prefers, do not matter."""
        return any(_same_place(one, route) and way_of(one).same_way(way_of(route)) for one in self.now.routes)

    def _can_be_added(self, route: RouteEntry) -> bool:
        if any(_same_place(one, route) for one in self.now.routes) and not route.is_ipv6:
            return False
        if route.source and all(one.address != route.source for one in self.now.addresses):
            return False
        if not route.gateway or route.onlink or ipaddress.ip_address(route.gateway).is_link_local:
            return True
        direct = [one for one in self.now.routes if one.interface == route.interface and not one.gateway]
        return any(covers(one.destination, route.gateway) for one in direct if one.is_ipv6 == route.is_ipv6)

    def _add_route(self, route: RouteEntry) -> None:
        self.steps.append(Step(AddRoute(route), undo=DeleteRoute(route)))
        self._change(routes=(*self.now.routes, route))

    def _delete_route(self, route: RouteEntry) -> None:
        self.steps.append(Step(DeleteRoute(route), undo=AddRoute(route)))
        self._change(routes=tuple(one for one in self.now.routes if one != route))

    def _change(self, **what: tuple[object, ...]) -> None:
        self.now = msgspec.structs.replace(self.now, **what)


def _made_by(route: RouteEntry, entry: AddressEntry) -> bool:
    """Whether the kernel made this route for that address."""
    made = route.protocol == KERNEL and route.interface == entry.interface and route.destination == entry.network
    return made and entry.routed and route.source in ("", entry.address)


def _is_way(route: RouteEntry, wanted: Route, *, ipv6: bool) -> bool:
    return route.is_ipv6 == ipv6 and way_of(route).same_way(wanted)


def _same_place(one: RouteEntry, other: RouteEntry) -> bool:
    return (one.destination, one.table, one.metric) == (other.destination, other.table, other.metric)


def _is_other_half(one: RouteEntry, half: RouteEntry) -> bool:
    same = (one.gateway, one.interface, one.table, one.protocol, one.kind)
    alike = same == (half.gateway, half.interface, half.table, half.protocol, half.kind)
    return alike and one.whole and one.is_ipv6 == half.is_ipv6 and prefix_of(one.destination) == HALF
