"""Connections to others: how they are made, and why they are not."""

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import struct
import time
from functools import lru_cache
from pathlib import Path

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import Answer
from guardian_agent.host.aside import Aside
from guardian_agent.model import Endpoint

# Ours, and not the other side's: such a failure tells nothing about whom we wanted to reach.
OWN_SHORTAGE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}

TCP_SYN_SENT = 2
TCP_INFO = struct.Struct("=BxB5x28xI60xI")  # state, retransmits, retrans, total_retrans (struct tcp_info)

# IPv4 first: what filters packets often forgets the loopback of IPv6, and is silent there.
LOOPBACKS = (socket.AF_INET, ("127.0.0.1",)), (socket.AF_INET6, ("::1",))
IPV6 = Path("/proc/net/if_inet6")  # not there: this kernel has none

Address = tuple[int, tuple[str | int | bytes, ...]]  # family and what `socket.connect` takes


@lru_cache(maxsize=256)
def numeric(host: str, port: int) -> Address | None:
    """What `socket.connect` takes for an address that is not a name; None for a name."""
    with contextlib.suppress(socket.gaierror, UnicodeError):
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[
            0
        ]
        return family, address[:4]
    return None


async def resolve(endpoint: Endpoint) -> list[Address]:
    """The addresses of an endpoint. Raises socket.gaierror, an OSError.

    `localhost` and the names below it are this host's loopback without any name server (RFC 6761, 6.3). Any other name
    is looked up in a thread of its own, since that takes 10 s and more where the name servers are silent.
    """
    if own := _loopback(endpoint):
        return own
    if known := numeric(endpoint.host, endpoint.port):
        return [known]
    found = await _lookups.ask(endpoint.host, lambda: _looked_up(endpoint.host), fresh=False)
    return [(family, (address[0], endpoint.port, *address[2:4])) for family, address in found]


_lookups = Aside()


def _loopback(endpoint: Endpoint) -> list[Address]:
    """The addresses of `localhost`; empty for other names."""
    if f".{endpoint.host.lower().rstrip('.')}".endswith(".localhost"):
        there = LOOPBACKS if IPV6.exists() else LOOPBACKS[:1]
        return [(family, (*address, endpoint.port)) for family, address in there]
    return []


def _looked_up(name: str) -> list[Address]:
    try:
        answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, f"no name of a host: {name!r}") from error
    return [(family, address) for family, _, _, _, address in answers]


async def _addresses(endpoint: Endpoint, timeout_s: float) -> list[Address]:
    """Those to try. Raises ProbeError."""
    try:
        async with asyncio.timeout(timeout_s):
            return await resolve(endpoint)
    except TimeoutError:
        raise ProbeError(f"{endpoint.host} could not be resolved within {timeout_s:g} s") from None
    except socket.gaierror as error:
        raise ProbeError(f"{endpoint.host} could not be resolved: {reason(error)}") from error


class Attempt(msgspec.Struct):
    """What was seen of a connection attempt that was given up."""

    dropped_here: bool = False


async def dial(endpoint: Endpoint, timeout_s: float) -> tuple[socket.socket, float] | Answer:
    """A connected socket and the seconds it took, or why there is none; a name's addresses are tried in turn.

    Raises:
        ProbeError: the name could not be resolved, which tells nothing about who has it; or it is this process that
            lacks descriptors or memory.
    """
    started = time.monotonic()
    attempt = Attempt()

    def failed(*, refused: bool = False, timed_out: bool = False, unreachable: str = "") -> Answer:
        return Answer(
            connected=False,
            refused=refused,
            timed_out=timed_out,
            dropped_here=timed_out and attempt.dropped_here,
            unreachable=unreachable,
            elapsed_s=time.monotonic() - started,
        )

    addresses = await _addresses(endpoint, timeout_s)
    resolved_s = time.monotonic() - started
    why: OSError = OSError(errno.EADDRNOTAVAIL, "it has no address")
    try:
        async with asyncio.timeout(timeout_s - resolved_s):
            for family, address in addresses:
                try:
                    return await connected(family, address, attempt), time.monotonic() - started
                except OSError as error:
                    # Who was refused by one has met somebody, and another address may be one that is not in use here.
                    why = why if isinstance(why, ConnectionRefusedError) else error
    except TimeoutError:
        if resolved_s > timeout_s / 2:
            raise ProbeError(f"to resolve {endpoint.host} took {resolved_s:.2f} s, which left too little") from None
        return failed(timed_out=True)
    if why.errno in OWN_SHORTAGE:
        raise ProbeError(f"cannot open a socket to {endpoint}: {reason(why)}") from why
    if isinstance(why, ConnectionRefusedError):
        return failed(refused=True)
    if isinstance(why, TimeoutError):
        return failed(timed_out=True)
    return failed(unreachable=reason(why))


async def connected(family: int, address: tuple[str | int | bytes, ...], attempt: Attempt) -> socket.socket:
    """A socket that is connected. Raises OSError."""
    connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        await asyncio.get_running_loop().sock_connect(connection, address)
        # A free port of the ephemeral range can be met by our own: the kernel then connects the socket to itself.
        itself = connection.getsockname()[:2] == connection.getpeername()[:2]
    except BaseException:
        attempt.dropped_here = dropped_here(connection)
        connection.close()
        raise
    if itself:
        connection.close()
        raise ConnectionRefusedError(errno.ECONNREFUSED, "connected to itself: nobody listens")
    return connection


def dropped_here(connection: socket.socket) -> bool:
    """Whether this host itself keeps back what a connecting socket sends, by a packet filter as a rule.

    A SYN that was repeated (`total_retrans`, counted before it is handed down) and is not on its way (`retrans`,
    counted once the layers below have taken it) was refused below. One that merely waits for its neighbour's MAC is
    not repeated at all. The first repetition comes after 1 s; before, and on kernels that count otherwise, the answer
    is no. Source: tcp_retransmit_skb in net/ipv4/tcp_output.c, struct tcp_info in linux/tcp.h; tried on Linux 6.18.
    """
    try:
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO.size)
    except OSError:
        return False
    if len(told) < TCP_INFO.size:
        return False
    state, repeated, on_the_way, repeated_ever = TCP_INFO.unpack(told)
    return bool(state == TCP_SYN_SENT and repeated > 0 and repeated_ever > 0 and on_the_way == 0)


def reason(error: OSError) -> str:
    """The kernel's words; asyncio puts its own over them, TLS and the resolver number their errors in their own way."""
    if error.errno and not isinstance(error, (ssl.SSLError, socket.gaierror)):
        return os.strerror(error.errno)
    return error.strerror or str(error)
