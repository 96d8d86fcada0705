"""TCP sockets of this network namespace, asked of the kernel by `sock_diag`, without privileges (sock_diag(7))."""

import asyncio
import errno
import os
import socket
import struct
from collections.abc import AsyncIterator, Iterator

import msgspec

from guardian_agent.host import Listener, Queue
from guardian_agent.model import Endpoint

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h, net/tcp_states.h
NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
TCP_ESTABLISHED, TCP_SYN_SENT, TCP_SYN_RECV, TCP_TIME_WAIT, TCP_CLOSE, TCP_CLOSE_WAIT = 1, 2, 3, 6, 7, 8
TCP_LISTEN = 10
CONNECTED = 0xFFF & ~sum(1 << state for state in (TCP_SYN_SENT, TCP_SYN_RECV, TCP_TIME_WAIT, TCP_CLOSE, TCP_LISTEN))
HOLDING_A_PORT = 0xFFF & ~sum(1 << state for state in (TCP_SYN_RECV, TCP_CLOSE, TCP_LISTEN))
INET_DIAG_SKV6ONLY, INET_DIAG_CGROUP_ID = 11, 21
INET_DIAG_REQ_BYTECODE, INET_DIAG_BC_S_GE = 1, 2
NO_COOKIE = 0xFFFFFFFF
PART = 500  # sockets of an answer between which others may run

HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
REQUEST = struct.Struct("=BBBxI")  # inet_diag_req_v2 up to its socket: family, protocol, extensions, states
PORTS = struct.Struct("!HH16s16s")  # inet_diag_sockid: source port, destination port, source, destination …
REST = struct.Struct("=III")  # … interface, cookie
STATE = struct.Struct("=BBBB")  # inet_diag_msg: family, state, timer, retransmissions, then the socket, then …
COUNTS = struct.Struct("=IIIII")  # … expires, receive queue, send queue, uid, inode
COOKIE, COOKIE_AT = struct.Struct("=Q"), STATE.size + PORTS.size + 4
ATTRIBUTE = struct.Struct("=HH")
BYTECODE = struct.Struct("=BBH")  # inet_diag_bc_op: code, yes, no


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel is asked for."""

    family: int
    states: int  # a bit for each
    port: int  # the local one; 0: any
    host: str = ""  # the local address; empty: any
    scope: int = 0
    filter: bytes = b""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A listening socket as the kernel describes it."""

    family: int
    listener: Listener
    v6_only: bool = False


class SockDiag:
    """One netlink socket; the kernel answers within `send`: nothing here waits. Raises OSError."""

    def __init__(self) -> None:
        self._netlink: socket.socket | None = None
        self._sequence = 0

    def close(self) -> None:
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    def lookup(self, family: int, address: tuple[str | int | bytes, ...]) -> Listener | None:
        """The listening socket that the kernel would hand a connection to."""
        try:
            found = next(self._ask(family, address), None)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            # A kernel without the exact query can still list; the port alone is compared there.
            return next(iter(self.listing(family, address)), None)
        return found.listener if found else None

    def listing(self, family: int, address: tuple[str | int | bytes, ...]) -> list[Listener]:
        """All listening sockets between which the kernel would choose: several with SO_REUSEPORT."""
        everything = [
            *self._ask(socket.AF_INET, address, dump=True),
            *self._ask(socket.AF_INET6, address, dump=True),
        ]
        return _would_take(family, str(address[0]), everything)

    def all_listening(self) -> list[Listener]:
        """Every listening socket, IPv4's first."""
        families = (socket.AF_INET, socket.AF_INET6)
        return [one.listener for family in families for one in self._ask(family, ("", 0), dump=True)]

    @staticmethod
    async def queue(port: int) -> Queue:
        """The connections to a local port that wait for accept, and those that were taken.

        There may be tens of thousands, of 5 µs each, so others run between the parts of the answer, which has a socket
        of its own for that. Raises OSError.
        """
        waiting, taken = set(), set()
        diag = SockDiag()
        try:
            async for cookie, inode, state in diag._connections(port):
                if inode:
                    taken.add(cookie)
                elif state in (TCP_ESTABLISHED, TCP_CLOSE_WAIT):  # else it was taken and closed already
                    waiting.add(cookie)
        finally:
            diag.close()
        return Queue(waiting=frozenset(waiting), taken=frozenset(taken))

    async def _connections(self, port: int) -> AsyncIterator[tuple[int, int, int]]:
        """The cookie, inode and state of each."""
        for family in (socket.AF_INET, socket.AF_INET6):
            for number, body in enumerate(self._exchange(_listing_request(family, port, CONNECTED))):
                yield COOKIE.unpack_from(body, COOKIE_AT)[0], _inode(body), body[1]
                if number % PART == PART - 1:
                    await asyncio.sleep(0)

    def bodies(self, family: int, port: int, states: int) -> Iterator[bytes]:
        """What the kernel says of each socket in one of these states (a bit for each); `port` is the local one, 0
        any."""
        return self._exchange(_listing_request(family, port, states))

    def _ask(self, family: int, address: tuple[str | int | bytes, ...], *, dump: bool = False) -> Iterator[Found]:
        """The listening sockets that the kernel tells of: of the whole port, or the one for an address."""
        if dump:
            request = _listing_request(family, int(address[1]), 1 << TCP_LISTEN)
        else:
            request = _lookup_request(family, address)
        return map(_parse, self._exchange(request, dump=dump))

    def _exchange(self, request: Request, *, dump: bool = True) -> Iterator[bytes]:
        """One request, and the sockets that it answers."""
        if self._netlink is None:
            kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
            self._netlink = socket.socket(socket.AF_NETLINK, kind, NETLINK_SOCK_DIAG)
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        self._netlink.send(_message(request, self._sequence, dump=dump))
        while True:
            for kind, sequence, body in _messages(self._netlink.recv(65536)):
                if sequence != self._sequence:
                    continue  # left over from a request that was given up
                if kind == NLMSG_ERROR:
                    code = -int.from_bytes(body[:4], "little", signed=True)
                    raise OSError(code, os.strerror(code))
                if kind == NLMSG_DONE:
                    return
                yield body
                if not dump:
                    return


async def outgoing(low: int, high: int, states: int) -> dict[tuple[int, bytes, bytes], set[int]]:
    """The local ports from `low` to `high` that are in use, by local and remote address (the latter with its port).

    The kernel picks by port before it answers, so that a server's own connections cost nothing here; what is left may
    be tens of thousands, so others run between the parts of the answer, which has a socket of its own for that.
    Raises OSError.
    """
    found: dict[tuple[int, bytes, bytes], set[int]] = {}
    diag = SockDiag()
    try:
        for family in (socket.AF_INET, socket.AF_INET6):
            request = msgspec.structs.replace(_listing_request(family, 0, states), filter=_from_port(low))
            for number, body in enumerate(diag._exchange(request)):
                port, its_port, source, destination = PORTS.unpack_from(body, STATE.size)
                if low <= port <= high:
                    key = family, source, destination + its_port.to_bytes(2, "big")
                    found.setdefault(key, set()).add(port)
                if number % PART == PART - 1:
                    await asyncio.sleep(0)
    finally:
        diag.close()
    return found


def _lookup_request(family: int, address: tuple[str | int | bytes, ...]) -> Request:
    host = str(address[0]).partition("%")[0]
    scope = int(address[3]) if len(address) > 3 else 0  # of a link-local address: its interface
    return Request(family=family, states=1 << TCP_LISTEN, port=int(address[1]), host=host, scope=scope)


def _listing_request(family: int, port: int, states: int) -> Request:
    return Request(family=family, states=states, port=port)


def _message(request: Request, sequence: int, *, dump: bool) -> bytes:
    here = socket.inet_pton(request.family, request.host) if request.host else b""
    wanted = REQUEST.pack(request.family, socket.IPPROTO_TCP, 0, request.states)
    wanted += PORTS.pack(request.port, 0, here, b"") + REST.pack(request.scope, NO_COOKIE, NO_COOKIE)
    if request.filter:
        wanted += ATTRIBUTE.pack(ATTRIBUTE.size + len(request.filter), INET_DIAG_REQ_BYTECODE) + request.filter
    flags = NLM_F_REQUEST | (NLM_F_DUMP if dump else 0)
    return HEADER.pack(HEADER.size + len(wanted), SOCK_DIAG_BY_FAMILY, flags, sequence, 0) + wanted


def _from_port(low: int) -> bytes:
    """A filter of the kernel's: the local port is not below `low`. Source: inet_diag_bc_op in linux/inet_diag.h."""
    whole = 2 * BYTECODE.size
    return BYTECODE.pack(INET_DIAG_BC_S_GE, whole, whole + BYTECODE.size) + BYTECODE.pack(0, 0, low)


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    while data:
        length, kind, _, sequence, _ = HEADER.unpack_from(data)
        yield kind, sequence, data[HEADER.size : length]
        data = data[(length + 3) & ~3 :]


def _inode(body: bytes) -> int:
    return int(COUNTS.unpack_from(body, STATE.size + PORTS.size + REST.size)[4])


def _parse(body: bytes) -> Found:
    family, *_ = STATE.unpack_from(body)
    port, _, source, _ = PORTS.unpack_from(body, STATE.size)
    counts_at = STATE.size + PORTS.size + REST.size
    _, waiting, limit, uid, inode = COUNTS.unpack_from(body, counts_at)
    attributes = dict(_attributes(body[counts_at + COUNTS.size :]))
    cgroup = attributes.get(INET_DIAG_CGROUP_ID)
    host = socket.inet_ntop(family, source[: 4 if family == socket.AF_INET else 16])
    listener = Listener(
        endpoint=Endpoint(host, port),
        uid=uid,
        inode=inode,
        cgroup_id=int.from_bytes(cgroup[:8], "little") if cgroup else None,
        backlog=waiting,
        backlog_limit=limit,
    )
    return Found(family=family, listener=listener, v6_only=any(attributes.get(INET_DIAG_SKV6ONLY, b"")))


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= ATTRIBUTE.size:
        length, kind = ATTRIBUTE.unpack_from(data)
        yield kind, data[ATTRIBUTE.size : length]
        data = data[max(ATTRIBUTE.size, (length + 3) & ~3) :]


def _would_take(family: int, host: str, found: list[Found]) -> list[Listener]:
    """Of all that listen on a port, those that the kernel would choose from: its own address first, then wildcards."""
    wildcard = "0.0.0.0" if family == socket.AF_INET else "::"
    own = [one.listener for one in found if one.family == family]
    chosen = [one for one in own if one.endpoint.host == host]
    chosen = chosen or [one for one in own if one.endpoint.host == wildcard]
    return chosen or [one.listener for one in found if one.listener.endpoint.host == "::" and not one.v6_only]


def endpoint_of(family: int, there: bytes) -> Endpoint:
    """The address and port of the other side, as `outgoing` tells them; one of IPv4 in IPv6's clothes is shown bare."""
    host, port = there[: 4 if family == socket.AF_INET else 16], int.from_bytes(there[16:], "big")
    if host.startswith(bytes(10) + b"\xff\xff"):
        family, host = socket.AF_INET, host[12:]
    return Endpoint(socket.inet_ntop(family, host), port)
