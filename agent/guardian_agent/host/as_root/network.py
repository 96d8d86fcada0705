"""How are links, addresses, routes, rules and neighbours changed? By rtnetlink(7), through pyroute2."""

import asyncio
import errno
import ipaddress
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any

from guardian_agent.errors import OperationError, RefusedOperationError, UnknownResultError
from guardian_agent.host.netlink import LocalNetlink, index_of
from guardian_agent.host.operations.network import (
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
from guardian_agent.host.protocols.routing import AddressEntry, RouteEntry, RuleEntry

TIME_LIMIT_S = 10.0  # the kernel as a rule answers at once; links with slow drivers take seconds
MOST_ALIKE = 16  # rules that are the same; the kernel takes any number of them
KINDS = {"unicast": 1, "blackhole": 6, "unreachable": 7, "prohibit": 8, "throw": 9}  # RTN_*
ACTIONS = {"lookup": 1, "blackhole": 6, "unreachable": 7, "prohibit": 8}  # FR_ACT_*
RTNH_F_ONLINK, IFA_F_NOPREFIXROUTE, NUD_STALE, NUD_PERMANENT = 0x4, 0x200, 0x04, 0x80
NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
RTM_NEWADDR, RTM_DELADDR, RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWNEIGH, RTM_DELNEIGH = 20, 21, 24, 25, 28, 29
RTM_NEWRULE, RTM_DELRULE, RTM_NEWLINK, IFF_UP = 32, 33, 16, 1
ADD, SET, CHANGE = NLM_F_CREATE | NLM_F_EXCL, NLM_F_CREATE | NLM_F_REPLACE, 0
GONE = frozenset({errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL})
Attributes = Mapping[str, Any]  # an empty or zero one is left out


async def do(operation: NetworkOperation) -> None:
    """Carries it out. What is so already is fine.

    Raises:
        RefusedOperationError: there is no such interface, or it has a carrier where it must not.
        OperationError: the kernel refuses, or has something else in the very place.
        UnknownResultError: the kernel has not answered, and may still do it.
    """
    try:
        async with asyncio.timeout(TIME_LIMIT_S):
            await _do(operation)
    except TimeoutError as error:
        raise UnknownResultError(f"{operation.describe()}: not done within {TIME_LIMIT_S:g} s") from error
    except (OSError, ValueError, KeyError, struct.error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise OperationError(f"{operation.describe()}: {reason}") from error


async def _do(operation: NetworkOperation) -> None:
    match operation:
        case SetLink() | SetLinkMtu():
            await _set_link(operation)
        case AddAddress(entry) | DeleteAddress(entry):
            index = await _index(operation, entry.interface)
            await asyncio.to_thread(_address, entry, index, add=isinstance(operation, AddAddress))
        case AddRoute(entry):
            await _add_route(operation)
        case DeleteRoute(entry):
            index = await index_of(entry.interface) or 0 if entry.interface else 0
            if index or not entry.interface:  # a route goes with its interface
                await asyncio.to_thread(_route, entry, index, add=False)
        case AddRule(entry):
            if entry not in (await LocalNetlink().routing()).rules:  # IPv4 would take it twice in old kernels
                await asyncio.to_thread(_rule, entry, add=True)
        case DeleteRule(entry):
            await asyncio.to_thread(_delete_rule, entry)
        case SetNeighbour() | DeleteNeighbour():
            index = await _index(operation, operation.interface)
            await asyncio.to_thread(_neighbour, operation, index)


async def _index(operation: NetworkOperation, interface: str) -> int:
    if (index := await index_of(interface)) is None:
        raise RefusedOperationError(f"{operation.describe()}: there is no interface {interface}")
    return index


async def _set_link(operation: SetLink | SetLinkMtu) -> None:
    index = await _index(operation, operation.interface)
    if isinstance(operation, SetLink) and operation.unless_carrier:
        link = await LocalNetlink().link(operation.interface)
        if link is not None and link.admin_up and link.carrier:
            raise RefusedOperationError(f"{operation.describe()}: {operation.interface} has a carrier")
    await asyncio.to_thread(_link, operation, index)


def _link(operation: SetLink | SetLinkMtu, index: int) -> None:
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # all of it is heavy, and wanted only here

    fields, attributes = {"index": index}, {}
    if isinstance(operation, SetLink):
        fields |= {"flags": IFF_UP if operation.up else 0, "change": IFF_UP}
    else:
        attributes["IFLA_MTU"] = operation.mtu
    _send(ifinfmsg(), RTM_NEWLINK, CHANGE, fields, attributes)


async def _add_route(operation: AddRoute) -> None:
    entry = operation.entry
    index = await _index(operation, entry.interface) if entry.interface else 0
    try:
        await asyncio.to_thread(_route, entry, index, add=True)
    except FileExistsError as error:
        if entry not in (await LocalNetlink().routing()).routes:
            raise OperationError(f"{operation.describe()}: another route is in its place") from error


def _address(entry: AddressEntry, index: int, *, add: bool) -> None:
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

    fields = {"family": _family(entry.address), "prefixlen": entry.prefix, "scope": entry.scope, "index": index}
    attributes: dict[str, Any] = {"IFA_LOCAL": entry.address, "IFA_ADDRESS": entry.peer or entry.address}
    if add:
        attributes |= {
            "IFA_LABEL": (entry.label or entry.interface) if not entry.is_ipv6 else "",
            "IFA_BROADCAST": entry.broadcast,
            "IFA_FLAGS": 0 if entry.routed else IFA_F_NOPREFIXROUTE,
            "IFA_RT_PRIORITY": entry.metric,
        }
        _tolerating({errno.EEXIST}, lambda: _send(ifaddrmsg(), RTM_NEWADDR, ADD, fields, attributes))
    else:
        _tolerating(GONE, lambda: _send(ifaddrmsg(), RTM_DELADDR, CHANGE, fields, attributes))


def _route(entry: RouteEntry, index: int, *, add: bool) -> None:
    from pyroute2.netlink.rtnl.rtmsg import rtmsg

    network = ipaddress.ip_network(entry.destination)
    fields = {
        "family": _family(entry.destination),
        "dst_len": network.prefixlen,
        "table": entry.table if entry.table < 256 else 0,
        "proto": entry.protocol,
        "scope": entry.scope,
        "type": KINDS[entry.kind],
        "flags": RTNH_F_ONLINK if entry.onlink else 0,
    }
    attributes = {
        "RTA_DST": str(network.network_address) if network.prefixlen else "",
        "RTA_GATEWAY": entry.gateway,
        "RTA_OIF": index,
        "RTA_PRIORITY": entry.metric,
        "RTA_PREFSRC": entry.source,
        "RTA_TABLE": entry.table,
        "RTA_METRICS": {"attrs": [["RTAX_MTU", entry.mtu]]} if entry.mtu else "",
    }
    if add:
        _send(rtmsg(), RTM_NEWROUTE, ADD, fields, attributes)
    else:
        _tolerating(GONE, lambda: _send(rtmsg(), RTM_DELROUTE, CHANGE, fields, attributes))


def _rule(entry: RuleEntry, *, add: bool) -> None:
    from pyroute2.netlink.rtnl.fibmsg import fibmsg

    to, source = (ipaddress.ip_network(text) if text else None for text in (entry.to, entry.source))
    fields = {
        "family": socket.AF_INET6 if entry.ipv6 else socket.AF_INET,
        "dst_len": to.prefixlen if to else 0,
        "src_len": source.prefixlen if source else 0,
        "table": entry.table if entry.table < 256 else 0,
        "action": ACTIONS[entry.action],
    }
    attributes = {
        "FRA_DST": str(to.network_address) if to else "",
        "FRA_SRC": str(source.network_address) if source else "",
        "FRA_PRIORITY": entry.priority,
        "FRA_TABLE": entry.table,
        "FRA_FWMARK": entry.mark,
        "FRA_FWMASK": entry.mask,
        "FRA_IIFNAME": entry.incoming,
        "FRA_OIFNAME": entry.outgoing,
        "FRA_PROTOCOL": entry.protocol,
    }
    _send(fibmsg(), RTM_NEWRULE if add else RTM_DELRULE, ADD if add else CHANGE, fields, attributes)


def _delete_rule(entry: RuleEntry) -> None:
    for _ in range(MOST_ALIKE):
        try:
            _rule(entry, add=False)
        except OSError as error:
            if error.errno in GONE:
                return
            raise


def _neighbour(operation: SetNeighbour | DeleteNeighbour, index: int) -> None:
    from pyroute2.netlink.rtnl.ndmsg import ndmsg

    fields = {"family": _family(operation.address), "ifindex": index}
    attributes = {"NDA_DST": operation.address}
    if isinstance(operation, SetNeighbour):
        fields["state"] = NUD_PERMANENT if operation.permanent else NUD_STALE
        _send(ndmsg(), RTM_NEWNEIGH, SET, fields, attributes | {"NDA_LLADDR": operation.mac})
    else:
        _tolerating(GONE, lambda: _send(ndmsg(), RTM_DELNEIGH, CHANGE, fields, attributes))


def _send(message: Any, kind: int, flags: int, fields: Mapping[str, int], attributes: Attributes) -> None:
    """One request; returns when the kernel has acknowledged it. Raises OSError with its errno."""
    from pyroute2 import NetlinkError

    for name, value in fields.items():
        message[name] = value
    message["attrs"] = [[name, value] for name, value in attributes.items() if value]
    try:
        asyncio.run(_acknowledged(message, kind, flags))  # in a thread: the kernel works within send(2)
    except NetlinkError as error:
        raise OSError(error.code, str(error.args[1] if len(error.args) > 1 else error)) from error


async def _acknowledged(message: Any, kind: int, flags: int) -> None:
    from pyroute2 import AsyncIPRoute

    async with AsyncIPRoute() as kernel:
        async for _ in await kernel.nlm_request(message, kind, NLM_F_REQUEST | NLM_F_ACK | flags):
            pass


def _tolerating(codes: frozenset[int] | set[int], change: Callable[[], None]) -> None:
    try:
        change()
    except OSError as error:
        if error.errno not in codes:
            raise


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
