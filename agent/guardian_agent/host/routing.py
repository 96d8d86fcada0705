"""All routes, rules and addresses of this network namespace, read of the kernel without privileges.

Names and layouts are those of linux/rtnetlink.h, fib_rules.h and if_addr.h; see rtnetlink(7).
"""

import os
import socket
from collections.abc import Callable
from functools import partial
from struct import Struct
from typing import TypeVar

from guardian_agent.errors import ProbeError
from guardian_agent.host.protocols.routing import LOCAL_TABLE, AddressEntry, RouteEntry, Routing, RuleEntry
from guardian_agent.host.rtnetlink import NLM_F_DUMP, ask, attributes_of, number_of

RTM_GETADDR, RTM_GETROUTE, RTM_GETRULE = 22, 26, 34
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_METRICS, RTA_CACHEINFO = 1, 4, 5, 6, 7, 8, 12
RTA_TABLE, RTA_PREF = 15, 20
RTAX_MTU, RTNH_F_ONLINK, RTM_F_CLONED = 2, 0x4, 0x200
FRA_DST, FRA_SRC, FRA_IIFNAME, FRA_PRIORITY, FRA_FWMARK, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE = 1, 2, 3, 6, 10, 14, 15
FRA_FWMASK, FRA_OIFNAME, FRA_PAD, FRA_PROTOCOL, FIB_RULE_INVERT = 16, 17, 18, 21, 0x2
IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_BROADCAST, IFA_FLAGS, IFA_RT_PRIORITY = 1, 2, 3, 4, 8, 9
IFA_F_TEMPORARY, IFA_F_DADFAILED, IFA_F_PERMANENT, IFA_F_NOPREFIXROUTE = 0x01, 0x08, 0x80, 0x200

RTMSG = Struct("=BBBBBBBBI")  # family, dst_len, src_len, tos, table, protocol, scope, type, flags
FIB_RULE_HDR = Struct("=BBBBBxxBI")  # family, dst_len, src_len, tos, table, action, flags
IFADDRMSG = Struct("=BBBBI")  # family, prefix length, flags, scope, interface index
CACHEINFO = Struct("=IIi")  # references, last use, expires in …

KINDS = {1: "unicast", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw"}  # RTN_*
ACTIONS = {1: "lookup", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}  # FR_ACT_*
TOLD_OF_ROUTES = {RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_METRICS, RTA_CACHEINFO, RTA_TABLE}
TOLD_OF_RULES = {FRA_DST, FRA_SRC, FRA_IIFNAME, FRA_PRIORITY, FRA_FWMARK, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE}
TOLD_OF_RULES |= {FRA_FWMASK, FRA_OIFNAME, FRA_PAD, FRA_PROTOCOL}
NONE_SUPPRESSED = 0xFFFFFFFF

MOST = 5000  # entries: whoever has more is a router, and its tables are not ours to mend
FAMILIES = (socket.AF_INET, socket.AF_INET6)
T = TypeVar("T")


async def read_routing() -> Routing:
    """All of it, in an order that does not change by itself.

    Raises:
        ProbeError: the kernel does not tell, or there are more than `MOST` of a kind.
    """
    routes: list[RouteEntry] = []
    rules: list[RuleEntry] = []
    for family in FAMILIES:
        routes += await _dump(RTM_GETROUTE, RTMSG.pack(family, *[0] * 8), partial(_route, family=family))
        rules += await _dump(RTM_GETRULE, FIB_RULE_HDR.pack(family, *[0] * 6), partial(_rule, family=family))
    addresses = await _dump(RTM_GETADDR, IFADDRMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0), _address)
    return Routing(
        routes=tuple(sorted(routes, key=lambda one: (one.is_ipv6, one.table, one.destination, one.metric, str(one)))),
        rules=tuple(sorted(rules, key=lambda rule: (rule.ipv6, rule.priority))),  # of one priority, as they are asked
        addresses=tuple(sorted(addresses, key=lambda one: (one.is_ipv6, str(one)))),
    )


async def _dump(kind: int, request: bytes, read: Callable[[bytes], T | None]) -> list[T]:
    count = 0

    def counted(answer: bytes) -> T | None:
        nonlocal count
        count += 1
        if count > MOST:
            raise ProbeError(f"this host has more than {MOST} routes, rules or addresses")
        return read(answer)

    return await ask(kind, NLM_F_DUMP, request, counted)


def _route(answer: bytes, family: int) -> RouteEntry | None:
    its_family, dst_len, src_len, tos, table, protocol, scope, kind, flags = RTMSG.unpack_from(answer)
    if its_family != family or kind not in KINDS or src_len or tos or flags & RTM_F_CLONED:
        return None
    told = attributes_of(answer, RTMSG.size)
    table = number_of(told, RTA_TABLE, table)
    if table == LOCAL_TABLE:
        return None
    metrics = attributes_of(told[RTA_METRICS], 0) if RTA_METRICS in told else {}
    passes = RTA_CACHEINFO in told and CACHEINFO.unpack_from(told[RTA_CACHEINFO])[2] != 0
    strange = {*told} - TOLD_OF_ROUTES - ({RTA_PREF} if not any(told.get(RTA_PREF, b"")) else set())
    sent = kind == 1
    return RouteEntry(
        destination=f"{_text(family, told.get(RTA_DST, b''))}/{dst_len}",
        kind=KINDS[kind],
        gateway=_text(family, told[RTA_GATEWAY]) if RTA_GATEWAY in told else "",
        interface=_name(number_of(told, RTA_OIF, 0)) if sent else "",
        table=table,
        metric=number_of(told, RTA_PRIORITY, 0),
        protocol=protocol,
        scope=scope,
        source=_text(family, told[RTA_PREFSRC]) if RTA_PREFSRC in told else "",
        mtu=number_of(metrics, RTAX_MTU, 0),
        onlink=bool(flags & RTNH_F_ONLINK),
        whole=not strange and not passes and {*metrics} <= {RTAX_MTU},
    )


def _rule(answer: bytes, family: int) -> RuleEntry | None:
    its_family, dst_len, src_len, tos, table, action, flags = FIB_RULE_HDR.unpack_from(answer)
    if its_family != family:
        return None
    told = attributes_of(answer, FIB_RULE_HDR.size)
    action = ACTIONS.get(action, str(action))
    unsuppressed = number_of(told, FRA_SUPPRESS_PREFIXLEN, NONE_SUPPRESSED) == NONE_SUPPRESSED
    usual = action not in ("goto", "nop") and action in ACTIONS.values() and unsuppressed
    return RuleEntry(
        ipv6=family == socket.AF_INET6,
        priority=number_of(told, FRA_PRIORITY, 0),
        action=action,
        table=number_of(told, FRA_TABLE, table) if action == "lookup" else 0,
        to=f"{_text(family, told[FRA_DST])}/{dst_len}" if FRA_DST in told else "",
        source=f"{_text(family, told[FRA_SRC])}/{src_len}" if FRA_SRC in told else "",
        mark=number_of(told, FRA_FWMARK, 0),
        mask=number_of(told, FRA_FWMASK, 0),
        incoming=_word(told.get(FRA_IIFNAME, b"")),
        outgoing=_word(told.get(FRA_OIFNAME, b"")),
        protocol=number_of(told, FRA_PROTOCOL, 0),
        whole=usual and not tos and not flags & FIB_RULE_INVERT and {*told} <= TOLD_OF_RULES,
    )


def _address(answer: bytes) -> AddressEntry | None:
    family, prefix, flags, scope, index = IFADDRMSG.unpack_from(answer)
    if family not in FAMILIES:
        return None
    told = attributes_of(answer, IFADDRMSG.size)
    other = told[IFA_ADDRESS]
    local = told.get(IFA_LOCAL, other)
    if local[:2] == b"\xa9\xfe" if len(local) == 4 else local[0] == 0xFE and local[1] & 0xC0 == 0x80:
        return None
    flags = number_of(told, IFA_FLAGS, flags)
    temporary = family == socket.AF_INET6 and flags & IFA_F_TEMPORARY
    interface = _name(index)
    label = _word(told.get(IFA_LABEL, b""))
    return AddressEntry(
        interface=interface,
        address=_text(family, local),
        prefix=prefix,
        peer=_text(family, other) if other != local else "",
        broadcast=_text(family, told[IFA_BROADCAST]) if IFA_BROADCAST in told else "",
        label="" if label == interface else label,
        scope=scope,
        metric=number_of(told, IFA_RT_PRIORITY, 0),
        routed=not flags & IFA_F_NOPREFIXROUTE,
        leased=bool(temporary or flags & IFA_F_DADFAILED or not flags & IFA_F_PERMANENT),
    )


def _text(family: int, packed: bytes) -> str:
    size = 16 if family == socket.AF_INET6 else 4
    return socket.inet_ntop(family, packed or bytes(size))


def _word(value: bytes) -> str:
    return os.fsdecode(value.rstrip(b"\0"))


def _name(index: int) -> str:
    """Of an interface; empty for none, and for one that has just gone."""
    if not index:
        return ""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""
