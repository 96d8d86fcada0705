"""Which links, addresses, routes, rules and neighbours may be changed, and to what?"""

import ipaddress
import re
from typing import assert_never

from guardian_agent.executor.policy import Policy, PolicyError
from guardian_agent.host import AddressEntry, RouteEntry, RuleEntry
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
from guardian_agent.host.protocols.routing import DISCARDING, LOCAL_TABLE

LEAST_MTU, MOST_MTU = 576, 65535
WIDEST, WIDEST_V6 = 8, 32  # prefix lengths of an address: a shorter one would draw in half of the Internet
MOST_PRIORITY, MOST_TABLE = 32766, 2**32 - 1  # of a rule: that of the main table, and no later one
_INTERFACE = re.compile(r"[^\s/:\0]{1,15}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def refusal(operation: NetworkOperation, policy: Policy) -> str:
    """Why it is not carried out; empty when it is.

    Root does not know what was good on this host: that is learned by the agent, whose state an enemy in its place may
    write. So a rule can only say what a playbook could plan on some host, and on which interfaces. What is left to such
    an enemy: it may cut this host off, as by setting its link down, and send its traffic another way on its links, as a
    router there could; it may not take over loopback addresses, the table of local addresses, or the rule that looks
    them up. An operator who names the `interfaces` of the three playbooks leaves it those only.
    """
    try:
        return _refusal(operation, policy)
    except ValueError as error:
        return f"{operation.describe()[:200]!r} makes no sense: {error}"


def _refusal(operation: NetworkOperation, policy: Policy) -> str:
    match operation:
        case SetLink(interface) | SetLinkMtu(interface):
            return _of_link(operation) or _interface(interface, "bounce_link", policy)
        case SetNeighbour(interface) | DeleteNeighbour(interface):
            return _of_neighbour(operation) or _interface(interface, "flush_neighbour", policy)
        case AddAddress(entry) | DeleteAddress(entry):
            return _of_address(entry) or _routed_interface(entry.interface, policy)
        case AddRoute(entry) | DeleteRoute(entry):
            return _of_route(entry) or _routed_interface(entry.interface, policy)
        case AddRule(rule) | DeleteRule(rule):
            return _of_rule(rule) or _routed_interface("", policy)
        case _:
            assert_never(operation)


def _interface(interface: str, playbook_id: str, policy: Policy) -> str:
    allowed = getattr(policy.playbook(playbook_id), "interfaces", None)
    if not isinstance(allowed, tuple):
        return f"playbook {playbook_id} names no interfaces"
    if interface and not _is_name(interface):
        return f"{interface[:40]!r} is no name of an interface"
    return "" if not allowed or not interface or interface in allowed else f"{interface} is not among its interfaces"


def _routed_interface(interface: str, policy: Policy) -> str:
    """Both playbooks put back what an interface lost: one of them that may is enough."""
    refused = ""
    for playbook_id in ("restore_route", "bounce_link"):
        try:
            refused = _interface(interface, playbook_id, policy)
        except PolicyError as error:
            refused = str(error)
        if not refused:
            return ""
    return refused


def _of_link(operation: SetLink | SetLinkMtu) -> str:
    if operation.interface == "lo":
        return "lo is never changed"
    if isinstance(operation, SetLinkMtu) and not LEAST_MTU <= operation.mtu <= MOST_MTU:
        return f"an MTU must be from {LEAST_MTU} to {MOST_MTU}, is {operation.mtu}"
    return ""


def _of_neighbour(operation: SetNeighbour | DeleteNeighbour) -> str:
    address = ipaddress.ip_address(operation.address)
    if address.is_multicast or address.is_loopback or address.is_unspecified:
        return f"{address} is no neighbour's address"
    if isinstance(operation, SetNeighbour) and (not _MAC.fullmatch(operation.mac) or int(operation.mac[:2], 16) & 1):
        return f"{operation.mac[:40]!r} is no MAC of a single interface"
    return ""


def _of_address(entry: AddressEntry) -> str:
    one, widest = ipaddress.ip_interface(f"{entry.address}/{entry.prefix}"), WIDEST_V6 if entry.is_ipv6 else WIDEST
    for address in (one.ip, *([ipaddress.ip_address(entry.peer)] if entry.peer else [])):
        if address.is_loopback or address.is_multicast or address.is_unspecified or address.is_link_local:
            return f"{address} is no address of a host in a network"
    if entry.prefix < widest:
        return f"an address must have a prefix length of {widest} or more, has {entry.prefix}"
    if entry.label and not re.fullmatch(rf"{re.escape(entry.interface)}:[\w.-]{{1,8}}", entry.label):
        return f"{entry.label[:40]!r} is no label of {entry.interface}"
    return "" if entry.interface else "an address needs an interface"


def _of_route(entry: RouteEntry) -> str:
    network = ipaddress.ip_network(entry.destination)
    if not entry.whole or entry.kind not in ("unicast", "throw", *DISCARDING):
        return f"a route {entry.kind} is not Guardian's"
    if network.prefixlen and (network.is_loopback or network.is_multicast):
        return f"{network} is no network that others are in"
    if entry.table == LOCAL_TABLE or not 0 < entry.table <= MOST_TABLE:
        return f"table {entry.table} is never changed"
    if entry.interface == "lo" or (entry.kind == "unicast") != bool(entry.interface):
        return "a route leads to an interface that is not lo, or discards"
    if entry.mtu and not LEAST_MTU <= entry.mtu <= MOST_MTU:
        return f"an MTU must be from {LEAST_MTU} to {MOST_MTU}, is {entry.mtu}"
    return ""


def _of_rule(rule: RuleEntry) -> str:
    if not rule.whole or rule.action not in ("lookup", *DISCARDING):
        return f"a rule {rule.action[:40]!r} is not Guardian's"
    if not 0 < rule.priority <= MOST_PRIORITY:
        return f"a rule of priority {rule.priority} is never changed"
    if rule.action == "lookup" and (rule.table == LOCAL_TABLE or not 0 < rule.table <= MOST_TABLE):
        return f"table {rule.table} is looked up by the kernel's own rule only"
    for network in (rule.to, rule.source):
        if network:
            ipaddress.ip_network(network)
    strange = [name for name in (rule.incoming, rule.outgoing) if name and not _is_name(name)]
    return f"{strange[0][:40]!r} is no name of an interface" if strange else ""


def _is_name(interface: str) -> bool:
    return bool(_INTERFACE.fullmatch(interface)) and interface not in (".", "..")
