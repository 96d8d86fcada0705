"""Does an address answer an echo request, and if it does not, who says why?"""

import asyncio
import errno
import os
import socket
from struct import Struct
from typing import Final

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import Echo
from guardian_agent.host.raw_sockets import (
    LOAD_BYTE,
    LOAD_BYTE_BEHIND,
    LOAD_HALF,
    LOAD_HALF_BEHIND,
    MOST_READS,
    SKIP_IP_HEADER,
    let_in,
    readable,
)

IP_MTU_DISCOVER, IP_RECVERR, IP_MTU = 10, 11, 14  # linux/in.h
IPV6_MTU_DISCOVER, IPV6_MTU, IPV6_RECVERR, IPV6_DONTFRAG = 23, 24, 25, 62  # linux/in6.h
PMTUDISC_DONT, PMTUDISC_PROBE = 0, 3
HEADER = Struct("!BBHHH")  # type, code, checksum, identifier, sequence number
HEARD = Struct("=IBBBxII")  # struct sock_extended_err: errno, origin, type, code, information, data (ip(7))
ORIGIN_LOCAL = 1
TOKEN_BYTES = 8
LARGEST_IP_HEADER_BYTES = 60
PORT_OF_NOTHING = 0

UNREACHABLE = {0: "network unreachable", 1: "host unreachable", 9: "prohibited", 10: "prohibited", 13: "prohibited"}
UNREACHABLE_V6 = {0: "no route", 1: "prohibited", 3: "address unreachable", 5: "prohibited", 6: "route refused"}
TOO_BIG, TOO_MANY_HOPS = "packet too big", "too many hops: a routing loop"
REFUSED_HERE = {
    errno.ENETUNREACH: "no route",
    errno.EHOSTUNREACH: "host unreachable by this host's own routes or neighbours",
    errno.EACCES: "prohibited by this host's own routes",
    errno.EINVAL: "discarded by this host's own routes (blackhole), or no address to send to",
    errno.EPERM: "dropped by this host's own packet filter",
    errno.ENETDOWN: "the interface is down",
    errno.EADDRNOTAVAIL: "this host has no address to send from",
    errno.ENOBUFS: "the interface's queue is full",
    errno.EMSGSIZE: TOO_BIG,
}


class _Family(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    protocol: int
    request: int
    reply: int
    level: int
    mtu: int
    mtu_discover: int
    receive_errors: int
    offender_at: int  # in the socket address behind what was heard
    address_bytes: int


V4: Final = _Family(
    number=socket.AF_INET,
    protocol=socket.IPPROTO_ICMP,
    request=8,
    reply=0,
    level=socket.IPPROTO_IP,
    mtu=IP_MTU,
    mtu_discover=IP_MTU_DISCOVER,
    receive_errors=IP_RECVERR,
    offender_at=4,
    address_bytes=4,
)
V6: Final = _Family(
    number=socket.AF_INET6,
    protocol=socket.IPPROTO_ICMPV6,
    request=128,
    reply=129,
    level=socket.IPPROTO_IPV6,
    mtu=IPV6_MTU,
    mtu_discover=IPV6_MTU_DISCOVER,
    receive_errors=IPV6_RECVERR,
    offender_at=8,
    address_bytes=16,
)


async def echo(address: str, timeout_s: float, *, size_bytes: int = 56, whole: bool = False) -> Echo:
    """One echo request with `size_bytes` of payload to ADDRESS, or to ADDRESS%INTERFACE where it is link-local.

    By a raw socket, or by a ping socket (net.ipv4.ping_group_range) where this process may not have one. Every answer
    carries the kernel's `mtu` to that address, unless somebody on the way says a smaller one. Source: RFC 792 and 4443,
    raw(7), icmp(7), the errors' queue of ip(7).

    Raises:
        ProbeError: neither socket may be had, there is no IPv6 here, or it is no address.
    """
    family, whither = _parsed(address)
    sock, raw = _open(family)
    with sock:
        return await _Request(family, sock, raw, size_bytes).ask(whither, timeout_s, whole)


def _parsed(address: str) -> tuple[_Family, tuple[str, int] | tuple[str, int, int, int]]:
    bare, _, interface = address.partition("%")
    family = V6 if ":" in bare else V4
    try:
        socket.inet_pton(family.number, bare)
        scope = socket.if_nametoindex(interface) if interface else 0
    except OSError as error:
        raise ProbeError(f"no address to send to: {address!r} ({error.strerror or error})") from error
    return family, (bare, PORT_OF_NOTHING, 0, scope) if family is V6 else (bare, PORT_OF_NOTHING)


def _open(family: _Family) -> tuple[socket.socket, bool]:
    flags = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    try:
        return socket.socket(family.number, socket.SOCK_RAW | flags, family.protocol), True
    except PermissionError:
        pass
    except OSError as error:
        raise ProbeError(f"no echo request can be sent: {error.strerror}") from error
    try:
        return socket.socket(family.number, socket.SOCK_DGRAM | flags, family.protocol), False
    except OSError as error:
        raise ProbeError("echo requests need CAP_NET_RAW, or a group in net.ipv4.ping_group_range") from error


class _Request:
    """One request, told from everybody else's by a random identifier, sequence number and token."""

    def __init__(self, family: _Family, sock: socket.socket, raw: bool, size_bytes: int) -> None:
        self._family, self._sock, self._raw = family, sock, raw
        random = os.urandom(4 + TOKEN_BYTES)
        self._identifier, self._sequence = int.from_bytes(random[:2]), int.from_bytes(random[2:4])
        self._payload = random[4:].ljust(size_bytes, b"\0")[:size_bytes]
        self._room_bytes = LARGEST_IP_HEADER_BYTES + HEADER.size + len(self._payload)
        self._mtu: int | None = None

    async def ask(self, whither: tuple[str, int] | tuple[str, int, int, int], timeout_s: float, whole: bool) -> Echo:
        loop = asyncio.get_running_loop()
        self._prepare(whole)
        began_s = loop.time()
        try:
            self._sock.connect(whither)
            self._mtu = self._kernels_mtu()
            self._sock.send(self._packed())
        except OSError as error:
            reason = REFUSED_HERE.get(error.errno or 0, error.strerror or str(error))
            return Echo(answered=False, reason=reason, mtu=self._kernels_mtu())
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    await readable(self._sock)
                    if (refusal := self._refusal()) is not None:
                        return msgspec.structs.replace(refusal, elapsed_s=loop.time() - began_s)
                    if self._answered():
                        return Echo(answered=True, elapsed_s=loop.time() - began_s, mtu=self._mtu)
        except TimeoutError:
            return Echo(answered=False, elapsed_s=loop.time() - began_s, mtu=self._mtu)

    def _prepare(self, whole: bool) -> None:
        family, sock = self._family, self._sock
        if self._raw and family is V4:
            conditions = [(LOAD_BYTE_BEHIND, 0, family.reply), (LOAD_HALF_BEHIND, 4, self._identifier)]
            let_in(sock, conditions, SKIP_IP_HEADER)
        elif self._raw:
            let_in(sock, [(LOAD_BYTE, 0, family.reply), (LOAD_HALF, 4, self._identifier)])
        sock.setsockopt(family.level, family.receive_errors, 1)
        if whole or family is V4:
            sock.setsockopt(family.level, family.mtu_discover, PMTUDISC_PROBE if whole else PMTUDISC_DONT)
        if whole and family is V6:
            sock.setsockopt(family.level, IPV6_DONTFRAG, 1)

    def _packed(self) -> bytes:
        # A ping socket puts its own identifier and checksum there; of ICMPv6 the kernel makes the checksum anyway.
        header = HEADER.pack(self._family.request, 0, 0, self._identifier, self._sequence)
        if self._family is V4 and self._raw:
            checksum = _checksum(header + self._payload)
            header = HEADER.pack(self._family.request, 0, checksum, self._identifier, self._sequence)
        return header + self._payload

    def _kernels_mtu(self) -> int | None:
        try:
            return self._sock.getsockopt(self._family.level, self._family.mtu)
        except OSError:  # it knows no way there
            return None

    def _answered(self) -> bool:
        for _ in range(MOST_READS):  # what is left wakes us again, after the others' turn
            try:
                packet = self._sock.recv(self._room_bytes)
            except BlockingIOError:
                return False
            except OSError:  # what the errors' queue has told in more words, perhaps of another's request
                continue
            start = 4 * (packet[0] & 0xF) if self._raw and self._family is V4 else 0
            if self._is_ours(packet[start:], self._family.reply) and packet[start + HEADER.size :] == self._payload:
                return True
        return False

    def _refusal(self) -> Echo | None:
        """What was said against our own request, if anything was."""
        for _ in range(MOST_READS):
            try:
                quoted, ancillary, *_ = self._sock.recvmsg(self._room_bytes, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return None
            for level, kind, told in ancillary:
                if (level, kind) == (self._family.level, self._family.receive_errors) and len(told) >= HEARD.size:
                    number, origin, its_type, code, info, _data = HEARD.unpack_from(told)
                    if origin == ORIGIN_LOCAL or self._is_ours(quoted, self._family.request):
                        mtu = info if number == errno.EMSGSIZE and info else self._mtu
                        return Echo(answered=False, reason=self._reason(number, origin, its_type, code, told), mtu=mtu)
        return None

    def _is_ours(self, message: bytes, kind: int) -> bool:
        if len(message) < HEADER.size:
            return False
        its_type, _code, _checksum, identifier, sequence = HEADER.unpack_from(message)
        return its_type == kind and sequence == self._sequence and (not self._raw or identifier == self._identifier)

    def _reason(self, number: int, origin: int, its_type: int, code: int, told: bytes) -> str:
        if origin == ORIGIN_LOCAL:
            return REFUSED_HERE.get(number, os.strerror(number))
        if number == errno.EMSGSIZE:
            what = TOO_BIG
        elif its_type == (11 if self._family is V4 else 3):
            what = TOO_MANY_HOPS
        else:
            names = UNREACHABLE if self._family is V4 else UNREACHABLE_V6
            what = names.get(code, os.strerror(number).lower())
        address = told[HEARD.size + self._family.offender_at :][: self._family.address_bytes]
        if len(address) < self._family.address_bytes:
            return what
        offender = socket.inet_ntop(self._family.number, address)
        if offender == self._sock.getsockname()[0]:
            return "nobody on the link answers for it, or for its gateway"
        return f"{what} by {offender}"


def _checksum(message: bytes) -> int:
    """The Internet's (RFC 1071)."""
    padded = message + bytes(len(message) % 2)
    total: int = sum(Struct(f"!{len(padded) // 2}H").unpack(padded))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
