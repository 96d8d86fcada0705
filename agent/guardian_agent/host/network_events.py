"""What changes in the kernel's network configuration, as it changes?

Groups, names and layouts are those of linux/rtnetlink.h, if_link.h, neighbour.h and if_addr.h; see rtnetlink(7).
"""

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Iterator
from struct import Struct
from typing import Self

from guardian_agent.errors import ProbeError
from guardian_agent.host.protocols.netlink import NetworkEvent
from guardian_agent.host.rtnetlink import NLMSGHDR, AgainError, attributes_of, number_of, records

ROOM_BYTES = 65536  # of one datagram
MOST_AT_ONCE = 128  # datagrams, which take about a millisecond; then others may run
PAUSE_S = 0.01  # between two readings: a storm costs a hundred of them a second, whatever its size
MOST_REMEMBERED = 2048  # of a router's many neighbours, those beyond are told of only when they fail

GROUPS = (1, 3, 5, 7, 8, 9, 11, 19)  # LINK, NEIGH, IPV4_IFADDR, _ROUTE, _RULE, IPV6_IFADDR, _ROUTE, _RULE
# A message's type is a subject and an operation on it, new or deleted.
RTM_LINK, RTM_ADDR, RTM_ROUTE, RTM_NEIGH, RTM_RULE, OPERATIONS, RTM_DEL = 16, 20, 24, 28, 32, 3, 1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_WIRELESS, IFLA_OPERSTATE, IFLA_CARRIER = 1, 3, 4, 11, 16, 33
LINK_SAYS = (IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_OPERSTATE, IFLA_CARRIER)
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS, NDA_DST, NDA_LLADDR = 1, 2, 8, 1, 2
RT_TABLE_LOCAL, RTM_F_CLONED = 255, 0x200
NUD_INCOMPLETE, NUD_FAILED, NUD_NOARP, NUD_PERMANENT = 0x1, 0x20, 0x40, 0x80

NUMBER = Struct("=I")
IFINFOMSG = Struct("=BxHiII")  # family, device type, index, flags, change
IFADDRMSG = Struct("=BBBBI")  # family, prefix length, flags, scope, interface index
RTMSG = Struct("=BBBBBBBBI")  # family, dst_len, src_len, tos, table, protocol, scope, type, flags
NDMSG = Struct("=BxxxiHBB")  # family, interface index, state, flags, type
ROUTE, ADDRESS, RULE, MISSED = (NetworkEvent(kind=kind) for kind in ("route", "address", "rule", "missed"))


class LocalNetworkEvents:
    """The `NetworkEvents` of this network namespace, from its making on. One task listens.

    What the kernel tells while nobody takes it waits in the socket; what does not fit there becomes "missed". The same
    change told several times at once (a route flushed a thousand times over) is one event.

    Raises:
        ProbeError: the kernel does not let us hear it.
    """

    def __init__(self) -> None:
        self._seen = _Seen()
        self._waiting: list[NetworkEvent] = []
        self._next_reading_at = 0.0
        self._closed = False
        self._ready = asyncio.Event()
        try:
            self._kernel = _open()
        except OSError as error:
            raise ProbeError(f"rtnetlink: the network cannot be heard: {error.strerror}") from error

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> NetworkEvent:
        loop = asyncio.get_running_loop()
        while not self._closed and not self._waiting:
            await asyncio.sleep(max(0.0, self._next_reading_at - loop.time()))
            await self._readable(loop)
            if not self._closed:
                self._waiting = self._read()
                self._next_reading_at = loop.time() + PAUSE_S
        if self._closed:
            raise StopAsyncIteration
        return self._waiting.pop(0)

    async def aclose(self) -> None:
        """Ends the iteration, also one that waits."""
        if not self._closed:
            self._closed = True
            asyncio.get_running_loop().remove_reader(self._kernel)
            self._kernel.close()
            self._ready.set()

    async def _readable(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._closed:
            return
        self._ready.clear()
        loop.add_reader(self._kernel, self._ready.set)
        try:
            await self._ready.wait()
        finally:
            if not self._closed:
                loop.remove_reader(self._kernel)

    def _read(self) -> list[NetworkEvent]:
        """What waits in the socket, each change once, in the order of the kernel."""
        changes: dict[NetworkEvent, None] = {}
        for _ in range(MOST_AT_ONCE):
            try:
                changes.update(dict.fromkeys(self._seen.changes(self._kernel.recv(ROOM_BYTES))))
            except BlockingIOError:
                break
            except (OSError, AgainError, struct.error, ValueError) as error:
                if isinstance(error, OSError) and error.errno != errno.ENOBUFS:
                    raise ProbeError(f"rtnetlink: the network is no longer heard: {error.strerror}") from error
                self._seen.forget()
                changes[MISSED] = None
        return list(changes)


class _Seen:
    """Tells a change from what is merely said again, by what was said last."""

    def __init__(self) -> None:
        self._last: dict[bytes, bytes] = {}

    def forget(self) -> None:
        self._last.clear()

    def changes(self, datagram: bytes) -> Iterator[NetworkEvent]:
        """Raises AgainError, struct.error and ValueError for what makes no sense."""
        for (_length, kind, *_), message in records(datagram, 0, NLMSGHDR):
            subject, gone = kind & ~OPERATIONS, bool(kind & RTM_DEL)
            if subject == RTM_LINK:
                change = self._link(message, gone)
            elif subject == RTM_ADDR:
                change = self._address(message, gone)
            elif subject == RTM_NEIGH:
                change = self._neighbour(message, gone)
            elif subject == RTM_ROUTE:
                change = _route(message)
            else:
                change = RULE if subject == RTM_RULE else None
            if change:
                yield change

    def _link(self, message: bytes, gone: bool) -> NetworkEvent | None:
        family, _type, index, flags, _change = IFINFOMSG.unpack_from(message)
        told = attributes_of(message, IFINFOMSG.size)
        if family != socket.AF_UNSPEC or IFLA_WIRELESS in told:  # a bridge's port; a radio's news
            return None
        said = b"/".join(told.get(kind, b"") for kind in LINK_SAYS) + NUMBER.pack(flags)
        name = os.fsdecode(told.get(IFLA_IFNAME, b"").rstrip(b"\0"))
        is_new = self._is_new(b"link" + NUMBER.pack(index), said, gone)
        return NetworkEvent(kind="link", interface=name) if is_new else None

    def _address(self, message: bytes, gone: bool) -> NetworkEvent | None:
        family, prefix, flags, _scope, index = IFADDRMSG.unpack_from(message)
        told = attributes_of(message, IFADDRMSG.size)
        address = told.get(IFA_LOCAL) or told.get(IFA_ADDRESS, b"")
        key = b"address" + NUMBER.pack(index) + bytes((family, prefix)) + address
        # Not for how long: each advertisement and each renewal says that.
        said = NUMBER.pack(number_of(told, IFA_FLAGS, flags))
        return ADDRESS if self._is_new(key, said, gone) else None

    def _neighbour(self, message: bytes, gone: bool) -> NetworkEvent | None:
        family, index, state, _flags, _type = NDMSG.unpack_from(message)
        if family not in (socket.AF_INET, socket.AF_INET6) or state & NUD_NOARP:  # a bridge's table; nobody's answer
            return None
        told = attributes_of(message, NDMSG.size)
        if len(address := told.get(NDA_DST, b"")) not in (4, 16):
            return None
        key = b"neighbour" + NUMBER.pack(index) + address
        lost, pinned = state & (NUD_INCOMPLETE | NUD_FAILED), state & NUD_PERMANENT
        known = key in self._last
        if known or gone or len(self._last) < MOST_REMEMBERED:
            is_new = self._is_new(key, b"" if lost else bytes((pinned,)) + told.get(NDA_LLADDR, b""), gone)
        else:
            is_new = True
        if is_new and (known or gone or lost or pinned):  # one more neighbour is no change
            return NetworkEvent(kind="neighbour", address=socket.inet_ntop(family, address))
        return None

    def _is_new(self, key: bytes, said: bytes, gone: bool) -> bool:
        if gone:
            self._last.pop(key, None)
            return True
        known, self._last[key] = self._last.get(key), said
        return known != said


def _route(message: bytes) -> NetworkEvent | None:
    _family, _dst_len, _src_len, _tos, table, _protocol, _scope, _kind, flags = RTMSG.unpack_from(message)
    if table == RT_TABLE_LOCAL or flags & RTM_F_CLONED:  # the address's own event tells; no change of any table
        return None
    return ROUTE


def _open() -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    kernel = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
    try:
        kernel.bind((0, sum(1 << group - 1 for group in GROUPS)))
        kernel.connect((0, 0))  # to the kernel: nobody else's messages come in
    except OSError:
        kernel.close()
        raise
    return kernel
