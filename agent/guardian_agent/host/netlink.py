"""Links, routes, neighbours and addresses, asked of the kernel over raw rtnetlink, without privileges.

Names and layouts are those of linux/netlink.h, rtnetlink.h, if_link.h, neighbour.h and if_addr.h; see netlink(7) and
rtnetlink(7).
"""

import asyncio
import errno
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from operator import itemgetter
from struct import Struct
from typing import TypeVar

from guardian_agent.errors import ProbeError
from guardian_agent.host import Address, Link, Neighbour, NetworkEvents, Route

TIMEOUT_S = 0.5  # of one request, its repetitions included; the kernel as a rule answers within microseconds
ROOM_BYTES = tuple(32768 << doubled for doubled in range(5))  # one try each; a part of a dump has at most 32 KiB

SOL_NETLINK, NETLINK_GET_STRICT_CHK, NLA_TYPE_MASK = 270, 12, 0x3FFF
NLM_F_REQUEST, NLM_F_MULTI, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x1, 0x2, 0x10, 0x300
NLMSG_NOOP, NLMSG_ERROR, NLMSG_DONE, NLMSG_OVERRUN = 1, 2, 3, 4
RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH = 18, 22, 26, 30
IFLA_IFNAME, IFLA_EXT_MASK, IFLA_CARRIER, IFLA_ALT_IFNAME = 3, 29, 33, 53
IFF_UP, IFF_LOWER_UP, IFNAMSIZ, RTEXT_FILTER_SKIP_STATS = 0x1, 0x10000, 16, 0x8
RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_MULTIPATH, RTA_TABLE, RTA_VIA = 4, 5, 6, 9, 15, 18
RT_TABLE_MAIN, RTN_UNICAST, RTM_F_CLONED = 254, 1, 0x200
NDA_DST, NDA_LLADDR, IFA_ADDRESS, IFA_LOCAL = 1, 2, 1, 2

NUMBER = Struct("=I")
ERROR_CODE = Struct("=i")
NLMSGHDR = Struct("=IHHII")  # length, type, flags, sequence, port
NLATTR = Struct("=HH")  # length, type
IFINFOMSG = Struct("=BxHiII")  # family, device type, index, flags, change
RTMSG = Struct("=BBBBBBBBI")  # family, dst_len, src_len, tos, table, protocol, scope, type, flags
RTNEXTHOP = Struct("=HBBi")  # length, flags, hops, interface index
RTVIA = Struct("=H")  # family
NDMSG = Struct("=BxxxiHBB")  # family, interface index, state, flags, type
IFADDRMSG = Struct("=BBBBI")  # family, prefix length, flags, scope, interface index

ABSENT = frozenset({errno.ENODEV, errno.ENOENT, errno.ERANGE})  # no such link, entry or table; no possible name
PASSING = frozenset({errno.ENOBUFS, errno.EAGAIN, errno.EBUSY, errno.EINTR})
# By the number of the one bit that is set, the lowest being 1.
NEIGHBOUR_STATES = ("none", "incomplete", "reachable", "stale", "delay", "probe", "failed", "noarp", "permanent")
T = TypeVar("T")
Read = Callable[[bytes], T | None]


class _AgainError(Exception):
    """The answer cannot be used, but another try may bring a good one; the text continues "the answer …"."""


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
        found = await _find_link(name)
        return found and found[1]

    async def default_routes(self) -> list[Route]:
        raise ProbeError("default routes cannot be listed yet")

    async def route_to(self, address: str) -> Route | None:
        raise ProbeError(f"the way to {address} cannot be told yet")

    def events(self) -> NetworkEvents:
        raise ProbeError("the network cannot be heard yet")

    async def default_route(self) -> Route | None:
        """The main table's default route with the lowest metric, IPv4 before IPv6; of several next hops the first.

        Routes of other types (unreachable, blackhole …), for one type of service or one range of sources do not count.
        Raises ProbeError also when the kernel names no interface. Source: rtnetlink(7), RTM_GETROUTE.
        """
        for family in (socket.AF_INET, socket.AF_INET6):
            request = RTMSG.pack(family, 0, 0, 0, RT_TABLE_MAIN, 0, 0, RTN_UNICAST, 0)
            defaults = await _ask(RTM_GETROUTE, NLM_F_DUMP, request, partial(_read_default, family=family))
            if defaults:
                _metric, index, gateway = min(defaults, key=itemgetter(0))
                return Route(interface=_interface(index), gateway=gateway)
        return None

    async def neighbour(self, address: str, interface: str) -> Neighbour | None:
        """The kernel's entry for an IPv4 or IPv6 address on an interface, or None when it has none.

        Raises ProbeError also for what is no address. Source: rtnetlink(7), RTM_GETNEIGH (one entry: Linux 5.0).
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            packed = socket.inet_pton(family, address)
        except OSError as error:
            raise ProbeError(f"no IP address: {address!r}") from error
        if (found := await _find_link(interface)) is None:
            return None
        index, _link = found
        request = NDMSG.pack(family, index, 0, 0, 0) + _attribute(NDA_DST, packed)
        answers = await _ask(RTM_GETNEIGH, 0, request, _read_neighbour)
        return next((Neighbour(address=address, mac=mac, state=state) for mac, state in answers), None)

    async def addresses(self, interface: str) -> list[Address]:
        """The addresses of an interface as `ADDRESS/PREFIX`, IPv4 first, without 169.254.0.0/16 and fe80::/10.

        Source: rtnetlink(7), RTM_GETADDR.
        """
        if (found := await _find_link(interface)) is None:
            return []
        index, _link = found
        request = IFADDRMSG.pack(socket.AF_UNSPEC, 0, 0, 0, index)
        return await _ask(RTM_GETADDR, NLM_F_DUMP, request, partial(_read_address, index=index))


async def _find_link(name: str) -> tuple[int, Link] | None:
    # Not if_nametoindex(3): its ioctl may run modprobe for an unknown name, when the caller has CAP_NET_ADMIN.
    raw = os.fsencode(name)
    kind = IFLA_IFNAME if len(raw) < IFNAMSIZ else IFLA_ALT_IFNAME
    without_counters = _attribute(IFLA_EXT_MASK, NUMBER.pack(RTEXT_FILTER_SKIP_STATS))
    request = IFINFOMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + _attribute(kind, raw + b"\0") + without_counters
    return next(iter(await _ask(RTM_GETLINK, 0, request, _read_link)), None)


def _read_link(answer: bytes) -> tuple[int, Link]:
    _family, _type, index, flags, _change = IFINFOMSG.unpack_from(answer)
    attributes = _attributes(answer, IFINFOMSG.size)
    carrier = attributes.get(IFLA_CARRIER)
    return index, Link(
        name=os.fsdecode(attributes[IFLA_IFNAME].rstrip(b"\0")),
        admin_up=bool(flags & IFF_UP),
        carrier=bool(flags & IFF_LOWER_UP) if carrier is None else carrier != b"\0",
    )


def _read_default(answer: bytes, family: int) -> tuple[int, int, str | None] | None:
    """Metric, interface index (0: not told) and gateway of a default route of the main table; None for any other.

    The family is compared because a kernel without IPv6 answers a question about it with IPv4.
    """
    its_family, dst_len, src_len, tos, table, _protocol, _scope, kind, flags = RTMSG.unpack_from(answer)
    if (its_family, dst_len, src_len, tos, kind, flags & RTM_F_CLONED) != (family, 0, 0, 0, RTN_UNICAST, 0):
        return None
    attributes = _attributes(answer, RTMSG.size)
    if _number(attributes, RTA_TABLE, table) != RT_TABLE_MAIN:
        return None
    metric, index = _number(attributes, RTA_PRIORITY, 0), _number(attributes, RTA_OIF, 0)
    if (hops := attributes.get(RTA_MULTIPATH)) is not None:
        length, _flags, _hops, index = RTNEXTHOP.unpack_from(hops)
        attributes = _attributes(hops[:length], RTNEXTHOP.size)
    gateway = attributes.get(RTA_GATEWAY)
    if (via := attributes.get(RTA_VIA)) is not None:  # a gateway of the other family
        (family,), gateway = RTVIA.unpack_from(via), via[RTVIA.size :]
    return metric, index, None if gateway is None else socket.inet_ntop(family, gateway)


def _interface(index: int) -> str:
    if not index:
        raise ProbeError("the kernel names no interface for the default route; is net.ipv4.nexthop_compat_mode 0?")
    try:
        return socket.if_indextoname(index)
    except OSError as error:
        raise ProbeError(f"interface {index} of the default route has just gone") from error


def _read_neighbour(answer: bytes) -> tuple[str | None, str]:
    state = NDMSG.unpack_from(answer)[2]
    mac = _attributes(answer, NDMSG.size).get(NDA_LLADDR)
    return mac.hex(":") if mac else None, NEIGHBOUR_STATES[state.bit_length()]


def _read_address(answer: bytes, index: int) -> Address | None:
    family, prefix, _flags, _scope, its_index = IFADDRMSG.unpack_from(answer)
    if its_index != index or family not in (socket.AF_INET, socket.AF_INET6):
        return None
    attributes = _attributes(answer, IFADDRMSG.size)
    address = attributes.get(IFA_LOCAL) or attributes[IFA_ADDRESS]  # on a point-to-point link the second is the peer's
    link_local = address[0] == 0xFE and address[1] & 0xC0 == 0x80 if len(address) == 16 else address[:2] == b"\xa9\xfe"
    return None if link_local else Address(address=socket.inet_ntop(family, address), prefix=prefix)


async def _ask(kind: int, flags: int, request: bytes, read: Read[T]) -> list[T]:
    """What `read` makes of each message that answers, without its Nones; nothing when there is no such thing.

    An answer that was changed by others meanwhile, overran the socket or was cut off is asked for again, with more
    room. Only the waiting has a limit: the kernel works within our send(2), behind others who change the network.

    Raises:
        ProbeError: no answer, a refusal, nothing usable in `len(ROOM_BYTES)` tries or in `TIMEOUT_S` seconds.
    """
    spoilt = ""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            for room_bytes in ROOM_BYTES:
                try:
                    return await _exchange(kind, flags, request, read, room_bytes)
                except _AgainError as again:
                    spoilt = str(again)
    except TimeoutError as error:
        raise ProbeError(f"rtnetlink: no answer within {TIMEOUT_S} s") from error
    except OSError as error:
        if error.errno in ABSENT:
            return []
        raise ProbeError(f"rtnetlink: {error.strerror}") from error
    except (struct.error, ValueError, LookupError) as error:
        raise ProbeError(f"rtnetlink: an answer that makes no sense: {error}") from error
    raise ProbeError(f"rtnetlink: {len(ROOM_BYTES)} times in a row, the answer {spoilt}")


async def _exchange(kind: int, flags: int, request: bytes, read: Read[T], room_bytes: int) -> list[T]:
    read_so_far: list[T] = []
    with _open() as kernel:
        kernel.send(NLMSGHDR.pack(NLMSGHDR.size + len(request), kind, NLM_F_REQUEST | flags, 0, 0) + request)
        while True:
            datagram = await _receive(kernel, room_bytes)
            for (_length, its_kind, its_flags, _sequence, _port), answer in _records(datagram, 0, NLMSGHDR):
                if its_flags & NLM_F_DUMP_INTR or its_kind == NLMSG_OVERRUN:
                    raise _AgainError("changed while it was read")
                if its_kind in (NLMSG_ERROR, NLMSG_DONE):
                    _raise_refusal(answer)
                    return read_so_far
                if its_kind == NLMSG_NOOP:
                    continue
                if (one := read(answer)) is not None:
                    read_so_far.append(one)
                if not its_flags & NLM_F_MULTI:
                    return read_so_far
            await asyncio.sleep(0)  # a long dump lets others run between its parts


def _open() -> socket.socket:
    """A socket that takes messages from the kernel alone (connected to port 0), and filtered dumps (Linux 4.20)."""
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    kernel = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
    kernel.connect((0, 0))
    with suppress(OSError):  # an older kernel sends more than was asked for, and the readers pick
        kernel.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
    return kernel


async def _receive(kernel: socket.socket, room_bytes: int) -> bytes:
    while True:
        try:
            datagram, _, flags, _ = kernel.recvmsg(room_bytes)
        except BlockingIOError:
            await _readable(kernel)
            continue
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                raise _AgainError("overran the socket's buffer") from error
            raise
        if flags & socket.MSG_TRUNC:
            raise _AgainError(f"had no room in {room_bytes} bytes")
        return datagram


async def _readable(kernel: socket.socket) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(kernel, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(kernel)


def _records(data: bytes, start: int, header: Struct) -> Iterator[tuple[tuple[int, ...], bytes]]:
    """Header and payload of each record; a header begins with the record's length, a record at a multiple of four."""
    while start < len(data):
        fields = header.unpack_from(data, start)
        end = start + fields[0]
        if not start + header.size <= end <= len(data):
            raise _AgainError("was cut off")
        yield fields, data[start + header.size : end]
        start = end + -end % 4


def _raise_refusal(answer: bytes) -> None:
    """Raises what NLMSG_ERROR or the end of a dump tells: a negative errno, or 0 for none."""
    code = -ERROR_CODE.unpack_from(answer)[0]
    if code in PASSING:
        raise _AgainError(f"was put off ({os.strerror(code)})")
    if code:
        raise OSError(code, os.strerror(code))


def _attribute(kind: int, payload: bytes) -> bytes:
    return NLATTR.pack(NLATTR.size + len(payload), kind) + payload + bytes(-len(payload) % 4)


def _attributes(answer: bytes, start: int) -> dict[int, bytes]:
    return {kind & NLA_TYPE_MASK: payload for (_length, kind), payload in _records(answer, start, NLATTR)}


def _number(attributes: dict[int, bytes], kind: int, default: int) -> int:
    return int.from_bytes(attributes[kind], sys.byteorder) if kind in attributes else default
