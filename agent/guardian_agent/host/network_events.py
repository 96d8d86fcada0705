"""What changes in the kernel's network configuration, as it changes.

Names and layouts are those of linux/rtnetlink.h; see rtnetlink(7).
"""

import asyncio
import errno
import socket
from struct import Struct
from struct import error as struct_error
from typing import Self

from guardian_agent.errors import ProbeError
from guardian_agent.host.protocols.netlink import NetworkEvent
from guardian_agent.host.rtnetlink import NLMSGHDR, SOL_NETLINK, AgainError, attributes_of, number_of, records

NETLINK_ADD_MEMBERSHIP, RECEIVE_BYTES = 1, 65536
# RTNLGRP_LINK, NEIGH, IPV4_IFADDR, IPV4_ROUTE, IPV4_RULE, IPV6_IFADDR, IPV6_ROUTE, IPV6_RULE
GROUPS = (1, 3, 5, 7, 8, 9, 11, 19)
RTM_NEWLINK, RTM_DELLINK, RTM_NEWNEIGH, RTM_DELNEIGH = 16, 17, 28, 29
KINDS = {20: "address", 21: "address", 24: "route", 25: "route", 32: "rule", 33: "rule"}
IFLA_IFNAME, IFLA_MTU, IFLA_CARRIER, NDA_DST, NDA_LLADDR = 3, 4, 33, 1, 2
NUD_FAILED, NUD_PERMANENT = 0x20, 0x80
IFINFOMSG = Struct("=BxHiII")
NDMSG = Struct("=BxxxiHBB")
MOST_NEIGHBOURS = 1024  # whose MACs are remembered


class LocalNetworkEvents:
    """Told by rtnetlink's multicast groups; needs no privilege.

    What changes nothing that anybody looks at is left out: counters of a link, a neighbour that is confirmed again.
    """

    def __init__(self) -> None:
        """Raises ProbeError when the kernel does not let us listen."""
        self._links: dict[int, tuple[int, int, int]] = {}
        self._macs: dict[tuple[int, bytes], bytes] = {}
        self._ready: list[NetworkEvent] = []
        try:
            kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
            self._kernel = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
            self._kernel.bind((0, 0))  # to a socket without a port of its own the kernel tells nothing
            for group in GROUPS:
                self._kernel.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
        except OSError as error:
            raise ProbeError(f"rtnetlink: {error.strerror}") from error

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> NetworkEvent:
        while not self._ready:
            if self._kernel.fileno() < 0:
                raise StopAsyncIteration
            self._ready = self._read(await self._datagram())
        return self._ready.pop(0)

    async def aclose(self) -> None:
        self._kernel.close()

    async def _datagram(self) -> bytes:
        try:
            return await asyncio.get_running_loop().sock_recv(self._kernel, RECEIVE_BYTES)
        except OSError as error:
            if error.errno == errno.ENOBUFS:  # more came than we took
                return b""
            raise ProbeError(f"rtnetlink: {error.strerror}") from error

    def _read(self, datagram: bytes) -> list[NetworkEvent]:
        if not datagram:
            return [NetworkEvent(kind="missed")]
        found = []
        try:
            for (_length, kind, *_), body in records(datagram, 0, NLMSGHDR):
                if (event := self._event(kind, body)) is not None:
                    found.append(event)
        except (AgainError, struct_error, ValueError, LookupError):
            found.append(NetworkEvent(kind="missed"))
        return found

    def _event(self, kind: int, body: bytes) -> NetworkEvent | None:
        if kind in (RTM_NEWLINK, RTM_DELLINK):
            return self._link(kind, body)
        if kind in (RTM_NEWNEIGH, RTM_DELNEIGH):
            return self._neighbour(kind, body)
        return NetworkEvent(kind=KINDS[kind]) if kind in KINDS else None

    def _link(self, kind: int, body: bytes) -> NetworkEvent | None:
        _family, _type, index, flags, _change = IFINFOMSG.unpack_from(body)
        attributes = attributes_of(body, IFINFOMSG.size)
        carrier = attributes.get(IFLA_CARRIER, b"\1")[0]
        now = (flags, carrier, number_of(attributes, IFLA_MTU, 0))
        if kind == RTM_DELLINK:
            self._links.pop(index, None)
        elif self._links.get(index) == now:
            return None
        else:
            self._links[index] = now
        name = attributes.get(IFLA_IFNAME, b"").rstrip(b"\0")
        return NetworkEvent(kind="link", interface=name.decode(errors="replace"))

    def _neighbour(self, kind: int, body: bytes) -> NetworkEvent | None:
        family, index, state, _flags, _type = NDMSG.unpack_from(body)
        attributes = attributes_of(body, NDMSG.size)
        address, mac = attributes.get(NDA_DST, b""), attributes.get(NDA_LLADDR, b"")
        if family not in (socket.AF_INET, socket.AF_INET6) or not address:
            return None  # of a bridge's own table
        before = self._macs.pop((index, address), None)
        if kind == RTM_NEWNEIGH and mac:
            if len(self._macs) >= MOST_NEIGHBOURS:
                del self._macs[next(iter(self._macs))]
            self._macs[index, address] = mac
        changed = before is not None and mac not in (b"", before)
        if kind == RTM_DELNEIGH or state & (NUD_FAILED | NUD_PERMANENT) or changed:
            return NetworkEvent(kind="neighbour", address=socket.inet_ntop(family, address))
        return None
