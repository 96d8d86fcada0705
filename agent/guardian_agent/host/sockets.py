"""Who listens, asked of the kernel; and who answers, found out by connecting."""

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import Answer, Listener
from guardian_agent.host.http import BrokenAnswerError, request_for, status_of
from guardian_agent.model import Endpoint

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h, net/tcp_states.h
NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
TCP_LISTEN = 10
INET_DIAG_SKV6ONLY, INET_DIAG_CGROUP_ID = 11, 21
NO_COOKIE = 0xFFFFFFFF

HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
REQUEST = struct.Struct("=BBBxI")  # inet_diag_req_v2 up to its socket: family, protocol, extensions, states
PORTS = struct.Struct("!HH16s16s")  # inet_diag_sockid: source port, destination port, source, destination …
REST = struct.Struct("=III")  # … interface, cookie
STATE = struct.Struct("=BBBB")  # inet_diag_msg: family, state, timer, retransmissions, then the socket, then …
COUNTS = struct.Struct("=IIIII")  # … expires, receive queue, send queue, uid, inode
ATTRIBUTE = struct.Struct("=HH")

# Ours, and not the other side's: such a failure tells nothing about whom we wanted to reach.
OWN_SHORTAGE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}

Address = tuple[int, tuple[str | int | bytes, ...]]  # family and what `socket.connect` takes


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A listening socket as the kernel describes it."""

    family: int
    listener: Listener
    v6_only: bool = False


class LocalSockets:
    """Reads by `sock_diag` (needs no privilege); connects from this host as any client would."""

    def __init__(self) -> None:
        self._netlink: socket.socket | None = None
        self._sequence = 0

    def close(self) -> None:
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    async def listener(self, endpoint: Endpoint) -> Listener | None:
        """The listening socket that would take a connection to `endpoint` on this host, or None.

        Found by the kernel's own lookup, so a wildcard bind and an IPv6 wildcard that serves IPv4 too count. The
        endpoint `0.0.0.0` (or `::`) asks for a socket on that wildcard: one bound to a single address would refuse
        connections to the others, and does not count. Sockets bound to one device are found for scoped addresses only.

        Raises:
            ProbeError: the name does not resolve, or the kernel would not tell.
        """
        try:
            for family, address in await _resolve(endpoint):
                if found := self._lookup(family, address):
                    return found
        except OSError as error:
            raise ProbeError(f"cannot tell who listens on {endpoint}: {_reason(error)}") from error
        return None

    async def connect(self, endpoint: Endpoint, timeout_s: float) -> Answer:
        """Opens and closes one TCP connection; a name's addresses are tried in turn.

        Connecting to a wildcard address reaches this host's loopback. Raises ProbeError when it is this process that
        lacks descriptors or memory.
        """
        outcome = await _dial(endpoint, timeout_s)
        if isinstance(outcome, Answer):
            return outcome
        connection, elapsed_s = outcome
        connection.close()
        return Answer(connected=True, elapsed_s=elapsed_s)

    async def http_get(self, url: str, timeout_s: float) -> Answer:
        """One GET over a fresh connection, until the status line is in. Raises ProbeError for a URL it cannot use."""
        request = request_for(url)
        started = time.monotonic()
        outcome = await _dial(request.endpoint, timeout_s)
        if isinstance(outcome, Answer):
            return outcome
        connection, dialled_s = outcome
        status, broken = None, ""
        try:
            async with asyncio.timeout(timeout_s - dialled_s):
                status = await status_of(connection, request)
        except TimeoutError:
            pass  # no answer in time is `status=None` with nothing broken
        except BrokenAnswerError as error:
            broken = str(error)
        except OSError as error:
            broken = f"TLS: {_reason(error)}" if isinstance(error, ssl.SSLError) else _reason(error)
        return Answer(connected=True, status=status, broken=broken, elapsed_s=time.monotonic() - started)

    def _lookup(self, family: int, address: tuple[str | int | bytes, ...]) -> Listener | None:
        try:
            found = next(self._ask(family, address), None)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            # A kernel without the exact query can still list; the port alone is compared there.
            everything = [
                *self._ask(socket.AF_INET, address, dump=True),
                *self._ask(socket.AF_INET6, address, dump=True),
            ]
            return _would_take(family, str(address[0]), everything)
        return found.listener if found else None

    def _ask(self, family: int, address: tuple[str | int | bytes, ...], *, dump: bool = False) -> Iterator[Found]:
        """One request, and what it answers. The kernel answers within `send`: nothing here waits. Raises OSError."""
        if self._netlink is None:
            self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, NETLINK_SOCK_DIAG)
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        self._netlink.send(_request(family, address, self._sequence, dump=dump))
        while True:
            data = self._netlink.recv(65536)
            while data:
                length, kind, _, sequence, _ = HEADER.unpack_from(data)
                body, data = data[HEADER.size : length], data[(length + 3) & ~3 :]
                if sequence != self._sequence:
                    continue  # left over from a request that was given up
                if kind == NLMSG_ERROR:
                    code = -int.from_bytes(body[:4], "little", signed=True)
                    raise OSError(code, os.strerror(code))
                if kind == NLMSG_DONE:
                    return
                yield _parse(body)
                if not dump:
                    return


def _request(family: int, address: tuple[str | int | bytes, ...], sequence: int, *, dump: bool) -> bytes:
    host, port = str(address[0]).partition("%")[0], int(address[1])
    scope = int(address[3]) if len(address) > 3 and not dump else 0  # of a link-local address: its interface
    here = b"" if dump else socket.inet_pton(family, host)
    wanted = REQUEST.pack(family, socket.IPPROTO_TCP, 0, 1 << TCP_LISTEN)
    wanted += PORTS.pack(port, 0, here, b"") + REST.pack(scope, NO_COOKIE, NO_COOKIE)
    flags = NLM_F_REQUEST | (NLM_F_DUMP if dump else 0)
    return HEADER.pack(HEADER.size + len(wanted), SOCK_DIAG_BY_FAMILY, flags, sequence, 0) + wanted


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


def _would_take(family: int, host: str, found: list[Found]) -> Listener | None:
    """Of all that listen on a port, the one that the kernel would choose: its own address first, then wildcards."""
    serving_both = [one.listener for one in found if one.listener.endpoint.host == "::" and not one.v6_only]
    own = [one.listener for one in found if one.family == family]
    wildcard = "0.0.0.0" if family == socket.AF_INET else "::"
    chosen = [one for one in own if one.endpoint.host == host]
    chosen += [one for one in own if one.endpoint.host == wildcard]
    chosen += serving_both
    return chosen[0] if chosen else None


@lru_cache(maxsize=256)
def _numeric(host: str, port: int) -> Address | None:
    with contextlib.suppress(socket.gaierror):
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[
            0
        ]
        return family, address[:4]
    return None


async def _resolve(endpoint: Endpoint) -> list[Address]:
    """The addresses of an endpoint; names are looked up in a thread. Raises socket.gaierror, an OSError."""
    if known := _numeric(endpoint.host, endpoint.port):
        return [known]
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    return [(family, address[:4]) for family, _, _, _, address in answers]


async def _dial(endpoint: Endpoint, timeout_s: float) -> tuple[socket.socket, float] | Answer:
    """A connected socket and the seconds it took, or why there is none."""
    started = time.monotonic()

    def failed(*, refused: bool = False, timed_out: bool = False, unreachable: str = "") -> Answer:
        elapsed_s = time.monotonic() - started
        return Answer(
            connected=False, refused=refused, timed_out=timed_out, unreachable=unreachable, elapsed_s=elapsed_s
        )

    resolved = False
    why: OSError = OSError(errno.EADDRNOTAVAIL, "it has no address")
    try:
        async with asyncio.timeout(timeout_s):
            addresses = await _resolve(endpoint)
            resolved = True
            for family, address in addresses:
                try:
                    return await _connected(family, address), time.monotonic() - started
                except OSError as error:
                    why = error
    except TimeoutError:
        return failed(timed_out=True) if resolved else failed(unreachable=f"resolving {endpoint.host} took too long")
    except socket.gaierror as error:
        return failed(unreachable=_reason(error))
    if why.errno in OWN_SHORTAGE:
        raise ProbeError(f"cannot open a socket to {endpoint}: {_reason(why)}") from why
    if isinstance(why, ConnectionRefusedError):
        return failed(refused=True)
    if isinstance(why, TimeoutError):
        return failed(timed_out=True)
    return failed(unreachable=_reason(why))


async def _connected(family: int, address: tuple[str | int | bytes, ...]) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        await asyncio.get_running_loop().sock_connect(connection, address)
        # A free port of the ephemeral range can be met by our own: the kernel then connects the socket to itself.
        itself = connection.getsockname()[:2] == connection.getpeername()[:2]
    except BaseException:
        connection.close()
        raise
    if itself:
        connection.close()
        raise ConnectionRefusedError(errno.ECONNREFUSED, "connected to itself: nobody listens")
    return connection


def _reason(error: OSError) -> str:
    """The kernel's words; asyncio puts its own over them, TLS and the resolver number their errors in their own way."""
    if error.errno and not isinstance(error, (ssl.SSLError, socket.gaierror)):
        return os.strerror(error.errno)
    return error.strerror or str(error)
