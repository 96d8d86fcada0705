"""The routes, rules and addresses of a fake host, and what becomes of them by operations."""

from typing import TYPE_CHECKING

import msgspec

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host import Address, AddressEntry, Neighbour, Route, RouteEntry, Routing, RuleEntry
from guardian_agent.host.operations import (
    AddAddress,
    AddRoute,
    AddRule,
    DeleteAddress,
    DeleteNeighbour,
    DeleteRoute,
    DeleteRule,
    NetworkOperation,
    SetLink,
    SetLinkMtu,
    SetNeighbour,
)
from guardian_agent.host.protocols.routing import KERNEL, SCOPE_LINK, STATIC

if TYPE_CHECKING:
    from tests.agent.fake_network import FakeNetlink

LOOPBACK = AddressEntry(interface="lo", address="127.0.0.1", prefix=8, scope=254)
RULES = [
    RuleEntry(ipv6=ipv6, priority=priority, table=table, protocol=KERNEL)
    for ipv6 in (False, True)
    for priority, table in ((0, 255), (32766, 254), (32767, 253))
]
PROTOCOLS = {"": STATIC, "kernel": KERNEL, "boot": 3, "ra": 9, "dhcp": 16}


def routing_of(netlink: "FakeNetlink") -> Routing:
    """All of it, put together."""
    addresses = [_address(name, own) for name, each in netlink.own.items() for own in each]
    defaults = [_entry(route) for route in (netlink.route, netlink.second_route) if route]
    connected = [_connected(one) for one in addresses if one.prefix < 32 and netlink.is_up(one.interface)]
    return Routing(
        routes=(*defaults, *connected, *netlink.more_routes),
        rules=tuple(sorted(netlink.rules, key=lambda rule: (rule.ipv6, rule.priority))),
        addresses=(*addresses, LOOPBACK),
    )


def apply(netlink: "FakeNetlink", operation: NetworkOperation) -> None:
    """As the kernel does: what is so already is fine."""
    match operation:
        case SetLink() | SetLinkMtu():
            _apply_to_link(netlink, operation)
        case AddAddress(entry):
            own = netlink.own.setdefault(entry.interface, [])
            if all((one.address, one.prefix) != (entry.address, entry.prefix) for one in own):
                own.append(Address(address=entry.address, prefix=entry.prefix))
        case DeleteAddress(entry):
            own = netlink.own.get(entry.interface, [])
            own[:] = [one for one in own if (one.address, one.prefix) != (entry.address, entry.prefix)]
        case AddRoute(entry):
            _add_route(netlink, entry)
        case DeleteRoute(entry):
            _delete_route(netlink, entry)
        case AddRule(entry) | DeleteRule(entry):
            netlink.rules = [rule for rule in netlink.rules if rule != entry]
            netlink.rules += [entry] if isinstance(operation, AddRule) else []
        case SetNeighbour(_, address, mac, permanent):
            state = "permanent" if permanent else "stale"
            netlink.neighbours[address] = Neighbour(address=address, mac=mac, state=state)
        case DeleteNeighbour(_, address):
            netlink.neighbours.pop(address, None)


def _apply_to_link(netlink: "FakeNetlink", operation: SetLink | SetLinkMtu) -> None:
    if (link := netlink.links.get(operation.interface)) is None:
        raise RefusedOperationError(f"there is no interface {operation.interface}")
    if isinstance(operation, SetLinkMtu):
        netlink.links[link.name] = msgspec.structs.replace(link, mtu=operation.mtu)
        return
    if operation.unless_carrier and link.admin_up and link.carrier:
        raise RefusedOperationError(f"{link.name} has a carrier")
    carrier = operation.up and link.name not in netlink.unplugged
    netlink.links[link.name] = msgspec.structs.replace(link, admin_up=operation.up, carrier=carrier)
    if not operation.up:
        netlink.drop_routes(link.name)


def _add_route(netlink: "FakeNetlink", entry: RouteEntry) -> None:
    if entry in routing_of(netlink).routes:
        return
    place = (entry.destination, entry.table, entry.metric)
    if any(place == (one.destination, one.table, one.metric) for one in routing_of(netlink).routes):
        raise OperationError("another route is in its place")
    name = _default_of(entry)
    if name:
        setattr(netlink, name, _route(entry))
    else:
        netlink.more_routes.append(entry)


def _delete_route(netlink: "FakeNetlink", entry: RouteEntry) -> None:
    name = _default_of(entry)
    if name and (route := getattr(netlink, name)) is not None and _entry(route) == entry:
        setattr(netlink, name, None)
    netlink.more_routes = [one for one in netlink.more_routes if one != entry]


def _default_of(entry: RouteEntry) -> str:
    """Where the fake has a plain default route of that family; empty for any other."""
    plain = entry.is_default and entry.kind == "unicast" and entry.table == 254 and entry.metric in (0, 1024)
    return ("second_route" if entry.is_ipv6 else "route") if plain else ""


def _entry(route: Route) -> RouteEntry:
    ipv6 = ":" in (route.gateway or "")
    return RouteEntry(
        destination="::/0" if ipv6 else "0.0.0.0/0",
        gateway=route.gateway or "",
        interface=route.interface,
        protocol=PROTOCOLS[route.origin],
        metric=1024 if ipv6 else 0,
    )


def _route(entry: RouteEntry) -> Route:
    origin = {number: name for name, number in PROTOCOLS.items()}[entry.protocol]
    return Route(interface=entry.interface, gateway=entry.gateway or None, origin=origin)


def _connected(one: AddressEntry) -> RouteEntry:
    scope, source, metric = (0, "", 256) if one.is_ipv6 else (SCOPE_LINK, one.address, 0)
    return RouteEntry(
        destination=one.network, interface=one.interface, protocol=KERNEL, scope=scope, source=source, metric=metric
    )


def _address(interface: str, own: Address) -> AddressEntry:
    leased = own.leased or not own.lasting
    return AddressEntry(interface=interface, address=own.address, prefix=own.prefix, leased=leased)
