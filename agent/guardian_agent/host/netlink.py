"""Links, routes, neighbours and addresses, asked of the kernel over raw rtnetlink, without privileges.

Names and layouts are those of linux/rtnetlink.h, if_link.h, neighbour.h and if_addr.h; see rtnetlink(7).
"""

import errno
import os
import socket
from functools import partial
from struct import Struct

from guardian_agent.errors import ProbeError
from guardian_agent.host import Address, Link, LinkCounters, Neighbour, NetworkEvents, Route
from guardian_agent.host.network_events import LocalNetworkEvents
from guardian_agent.host.protocols.routing import Routing
from guardian_agent.host.routing import read_routing
from guardian_agent.host.rtnetlink import NLM_F_DUMP, ask, attribute, attributes_of, number_of, records

RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH = 18, 22, 26, 30
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_STATS64, IFLA_EXT_MASK, IFLA_CARRIER = 1, 3, 4, 23, 29, 33
IFLA_CARRIER_CHANGES, IFLA_ALT_IFNAME = 35, 53
IFF_UP, IFF_LOWER_UP, IFNAMSIZ, RTEXT_FILTER_SKIP_STATS = 0x1, 0x10000, 16, 0x8
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_MULTIPATH, RTA_TABLE, RTA_VIA = 1, 4, 5, 6, 9, 15, 18
RT_TABLE_MAIN, RTN_UNICAST, RTN_LOCAL, RTM_F_CLONED, RTM_F_FIB_MATCH = 254, 1, 2, 0x200, 0x2000
NDA_DST, NDA_LLADDR, IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 1, 2, 8
IFA_F_TEMPORARY, IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TENTATIVE, IFA_F_PERMANENT = 0x01, 0x08, 0x20, 0x40, 0x80

NUMBER = Struct("=I")
IFINFOMSG = Struct("=BxHiII")  # family, device type, index, flags, change
STATS64 = Struct("=8Q")  # rx packets, tx packets, rx bytes, tx bytes, rx errors, tx errors, rx dropped, tx dropped, …
RTMSG = Struct("=BBBBBBBBI")  # family, dst_len, src_len, tos, table, protocol, scope, type, flags
RTNEXTHOP = Struct("=HBBi")  # length, flags, hops, interface index
RTVIA = Struct("=H")  # family
NDMSG = Struct("=BxxxiHBB")  # family, interface index, state, flags, type
IFADDRMSG = Struct("=BBBBI")  # family, prefix length, flags, scope, interface index

# By the number of the one bit that is set, the lowest being 1.
NEIGHBOUR_STATES = ("none", "incomplete", "reachable", "stale", "delay", "probe", "failed", "noarp", "permanent")
FAMILIES = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}
ORIGINS = {0: "", 2: "kernel", 3: "boot", 4: "static", 9: "ra", 16: "dhcp"}  # RTPROT_*; others by their number
# What the kernel answers instead of a route (ip-route(8), route types); None: there is no way at all.
DISCARDS = {errno.EINVAL: "blackhole", errno.EHOSTUNREACH: "unreachable", errno.EACCES: "prohibit"}
Hop = tuple[int, str | None]  # interface index (0: not told) and gateway


class LocalNetlink:
    """The `Netlink` of this network namespace.

    Every try has a socket of its own, for 0.005 ms: looks at the same time need no lock, a cancelled one leaves nothing
    half-read, other answers cannot come in. An interface that does not exist has no neighbours and no addresses.

    Raises (every reader):
        ProbeError: the kernel refuses, does not answer within `TIMEOUT_S` seconds a request, or makes no sense.
    """

    def close(self) -> None:
        """Nothing is open between requests; here because the host closes all its readers alike."""

    async def link(self, name: str, *, counters: bool = False) -> Link | None:
        """The interface of that name or alternative name, or None. Source: rtnetlink(7), RTM_GETLINK."""
        found = await _find_link(name, counters=counters)
        return found and found[1]

    async def default_route(self) -> Route | None:
        """The main table's default route with the lowest metric, IPv4 before IPv6; of several next hops the first.

        Routes of other types (unreachable, blackhole …), for one type of service or one range of sources do not count.
        Raises ProbeError also when the kernel names no interface. Source: rtnetlink(7), RTM_GETROUTE.
        """
        for family in (socket.AF_INET, socket.AF_INET6):
            if (route := await _default_route(family)) is not None:
                return route
        return None

    async def default_routes(self) -> list[Route]:
        """The same for each family that has one, IPv4 first."""
        found = [await _default_route(family) for family in (socket.AF_INET, socket.AF_INET6)]
        return [route for route in found if route is not None]

    async def route_to(self, address: str) -> Route | None:
        """The entry of all its tables and rules that the kernel would send by (ip-route(8), get fibmatch).

        The entry, and not what some router redirected for a while, nor the one of several next hops that this very
        packet would get (RTM_F_FIB_MATCH, Linux 4.13). One of this host's own addresses is reached by the interface
        `lo`. Raises ProbeError also for what is no address.
        """
        family, packed = _packed(address)
        request = RTMSG.pack(family, 8 * len(packed), 0, 0, 0, 0, 0, 0, RTM_F_FIB_MATCH) + attribute(RTA_DST, packed)
        nowhere = {code: Route(interface="", gateway=None, discards=word) for code, word in DISCARDS.items()}
        no_way = Route(interface="", gateway=None)
        ways = await ask(RTM_GETROUTE, 0, request, _read_way, {**nowhere, errno.ENETUNREACH: no_way})
        return None if not ways or ways[0] is no_way else ways[0]

    async def routing(self) -> Routing:
        """All routes, rules and addresses, as they are now. Raises ProbeError also on a host with thousands."""
        return await read_routing()

    def events(self) -> NetworkEvents:
        """What changes from now on, until the iterator is closed. Raises ProbeError."""
        return LocalNetworkEvents()

    async def neighbour(self, address: str, interface: str) -> Neighbour | None:
        """The kernel's entry for an IPv4 or IPv6 address on an interface, or None when it has none.

        Raises ProbeError also for what is no address. Source: rtnetlink(7), RTM_GETNEIGH (one entry: Linux 5.0).
        """
        family, packed = _packed(address)
        if (found := await _find_link(interface)) is None:
            return None
        index, _link = found
        request = NDMSG.pack(family, index, 0, 0, 0) + attribute(NDA_DST, packed)
        answers = await ask(RTM_GETNEIGH, 0, request, _read_neighbour)
        return next((Neighbour(address=address, mac=mac, state=state) for mac, state in answers), None)

    async def addresses(self, interface: str) -> list[Address]:
        """The addresses of an interface, IPv4 first, without 169.254.0.0/16 and fe80::/10.

        Source: rtnetlink(7), RTM_GETADDR.
        """
        if (found := await _find_link(interface)) is None:
            return []
        index, _link = found
        request = IFADDRMSG.pack(socket.AF_UNSPEC, 0, 0, 0, index)
        return await ask(RTM_GETADDR, NLM_F_DUMP, request, partial(_read_address, index=index))


async def index_of(interface: str) -> int | None:
    """The kernel's number of an interface, or None. Raises ProbeError."""
    found = await _find_link(interface)
    return found and found[0]


def _packed(address: str) -> tuple[int, bytes]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return family, socket.inet_pton(family, address)
    except OSError as error:
        raise ProbeError(f"no IP address: {address!r}") from error


async def _default_route(family: socket.AddressFamily) -> Route | None:
    request = RTMSG.pack(family, 0, 0, 0, RT_TABLE_MAIN, 0, 0, RTN_UNICAST, 0)
    defaults = await ask(RTM_GETROUTE, NLM_F_DUMP, request, partial(_read_default, family=family))
    if not defaults:
        return None
    # By interface and gateway, too: which of two routers was heard first changes.
    _metric, (index, gateway), origin = min(defaults, key=lambda told: (told[0], told[1][0], told[1][1] or ""))
    return Route(interface=_interface(index), gateway=gateway, family=FAMILIES[family], origin=origin)


async def _find_link(name: str, *, counters: bool = False) -> tuple[int, Link] | None:
    # Not if_nametoindex(3): its ioctl may run modprobe for an unknown name, when the caller has CAP_NET_ADMIN.
    raw = os.fsencode(name)
    kind = IFLA_IFNAME if len(raw) < IFNAMSIZ else IFLA_ALT_IFNAME
    mask = b"" if counters else attribute(IFLA_EXT_MASK, NUMBER.pack(RTEXT_FILTER_SKIP_STATS))
    request = IFINFOMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + attribute(kind, raw + b"\0") + mask
    return next(iter(await ask(RTM_GETLINK, 0, request, partial(_read_link, counters=counters))), None)


def _read_link(answer: bytes, counters: bool) -> tuple[int, Link]:
    _family, _type, index, flags, _change = IFINFOMSG.unpack_from(answer)
    attributes = attributes_of(answer, IFINFOMSG.size)
    carrier, mac = attributes.get(IFLA_CARRIER), attributes.get(IFLA_ADDRESS)
    stats = attributes.get(IFLA_STATS64) if counters else None
    return index, Link(
        name=os.fsdecode(attributes[IFLA_IFNAME].rstrip(b"\0")),
        admin_up=bool(flags & IFF_UP),
        carrier=bool(flags & IFF_LOWER_UP) if carrier is None else carrier != b"\0",
        mtu=number_of(attributes, IFLA_MTU, 0),
        mac=mac.hex(":") if mac and any(mac) else None,
        carrier_changes=number_of(attributes, IFLA_CARRIER_CHANGES, 0),
        counters=_counters(stats) if stats else None,
    )


def _counters(stats: bytes) -> LinkCounters:
    rx, tx, _, _, rx_errors, tx_errors, rx_dropped, tx_dropped = STATS64.unpack_from(stats)
    return LinkCounters(
        rx_packets=rx,
        tx_packets=tx,
        rx_errors=rx_errors,
        tx_errors=tx_errors,
        rx_dropped=rx_dropped,
        tx_dropped=tx_dropped,
    )


def _read_default(answer: bytes, family: int) -> tuple[int, Hop, str] | None:
    """Metric, way and origin of a default route of the main table; None for any other.

    The family is compared because a kernel without IPv6 answers a question about it with IPv4.
    """
    its_family, dst_len, src_len, tos, table, protocol, _scope, kind, flags = RTMSG.unpack_from(answer)
    if (its_family, dst_len, src_len, tos, kind, flags & RTM_F_CLONED) != (family, 0, 0, 0, RTN_UNICAST, 0):
        return None
    attributes = attributes_of(answer, RTMSG.size)
    if number_of(attributes, RTA_TABLE, table) != RT_TABLE_MAIN:
        return None
    return number_of(attributes, RTA_PRIORITY, 0), _next_hop(attributes, family), _origin(protocol)


def _read_way(answer: bytes) -> Route:
    family, _dst_len, _src_len, _tos, _table, protocol, _scope, kind, _flags = RTMSG.unpack_from(answer)
    index, gateway = _next_hop(attributes_of(answer, RTMSG.size), family)
    local = kind == RTN_LOCAL
    return Route(
        interface="lo" if local else _interface(index),
        gateway=None if local else gateway,
        family=FAMILIES[family],
        origin=_origin(protocol),
    )


def _next_hop(attributes: dict[int, bytes], family: int) -> Hop:
    """The way of a route; of several the first, of IPv6's, which come in the order in which routers were heard, always
    the same."""
    if RTA_MULTIPATH not in attributes:
        return number_of(attributes, RTA_OIF, 0), _gateway(attributes, family)
    hops = records(attributes[RTA_MULTIPATH], 0, RTNEXTHOP)
    ways = [(index, _gateway(attributes_of(hop, 0), family)) for (_length, _flags, _hops, index), hop in hops]
    return min(ways, key=lambda way: (way[0], way[1] or "")) if family == socket.AF_INET6 else ways[0]


def _gateway(attributes: dict[int, bytes], family: int) -> str | None:
    gateway = attributes.get(RTA_GATEWAY)
    if (via := attributes.get(RTA_VIA)) is not None:  # a gateway of the other family
        (family,), gateway = RTVIA.unpack_from(via), via[RTVIA.size :]
    return None if gateway is None else socket.inet_ntop(family, gateway)


def _origin(protocol: int) -> str:
    return ORIGINS.get(protocol, str(protocol))


def _interface(index: int) -> str:
    if not index:
        raise ProbeError("the kernel names no interface for the default route; is net.ipv4.nexthop_compat_mode 0?")
    try:
        return socket.if_indextoname(index)
    except OSError as error:
        raise ProbeError(f"interface {index} of the default route has just gone") from error


def _read_neighbour(answer: bytes) -> tuple[str | None, str]:
    state = NDMSG.unpack_from(answer)[2]
    mac = attributes_of(answer, NDMSG.size).get(NDA_LLADDR)
    return mac.hex(":") if mac else None, NEIGHBOUR_STATES[state.bit_length()]


def _read_address(answer: bytes, index: int) -> Address | None:
    family, prefix, flags, _scope, its_index = IFADDRMSG.unpack_from(answer)
    if its_index != index or family not in (socket.AF_INET, socket.AF_INET6):
        return None
    attributes = attributes_of(answer, IFADDRMSG.size)
    address = attributes.get(IFA_LOCAL) or attributes[IFA_ADDRESS]  # on a point-to-point link the second is the peer's
    link_local = address[0] == 0xFE and address[1] & 0xC0 == 0x80 if len(address) == 16 else address[:2] == b"\xa9\xfe"
    if link_local:
        return None
    flags = number_of(attributes, IFA_FLAGS, flags)
    passing = IFA_F_DEPRECATED | IFA_F_TENTATIVE | (IFA_F_TEMPORARY if family == socket.AF_INET6 else 0)
    return Address(
        address=socket.inet_ntop(family, address),
        prefix=prefix,
        lasting=not flags & passing,
        duplicate=bool(flags & IFA_F_DADFAILED),
        leased=not flags & IFA_F_PERMANENT,
    )
