"""One request of rtnetlink and what the kernel answers: the wire below the readers of netlink.py.

Names and layouts are those of linux/netlink.h and rtnetlink.h; see netlink(7) and rtnetlink(7).
"""

import asyncio
import errno
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from struct import Struct
from typing import TypeVar

from guardian_agent.errors import ProbeError

TIMEOUT_S = 0.5  # of one request, its repetitions included; the kernel as a rule answers within microseconds
ROOM_BYTES = tuple(32768 << doubled for doubled in range(5))  # one try each; a part of a dump has at most 32 KiB

SOL_NETLINK, NETLINK_GET_STRICT_CHK, NLA_TYPE_MASK = 270, 12, 0x3FFF
NLM_F_REQUEST, NLM_F_MULTI, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x1, 0x2, 0x10, 0x300
NLMSG_NOOP, NLMSG_ERROR, NLMSG_DONE, NLMSG_OVERRUN = 1, 2, 3, 4

ERROR_CODE = Struct("=i")
NLMSGHDR = Struct("=IHHII")  # length, type, flags, sequence, port
NLATTR = Struct("=HH")  # length, type

ABSENT = frozenset({errno.ENODEV, errno.ENOENT, errno.ERANGE})  # no such link, entry or table; no possible name
PASSING = frozenset({errno.ENOBUFS, errno.EAGAIN, errno.EBUSY, errno.EINTR})
T = TypeVar("T")
Read = Callable[[bytes], T | None]


class AgainError(Exception):
    """The answer cannot be used, but another try may bring a good one; the text continues "the answer …"."""


async def ask(kind: int, flags: int, request: bytes, read: Read[T], refusals: Mapping[int, T] | None = None) -> list[T]:
    """What `read` makes of each message that answers, without its Nones; nothing when there is no such thing.

    An answer that was changed by others meanwhile, overran the socket or was cut off is asked for again, with more
    room. `refusals`: what an errno of the kernel stands for, where it is an answer. Only the waiting has a limit: the
    kernel works within our send(2), behind others who change the network.

    Raises:
        ProbeError: no answer, a refusal, nothing usable in `len(ROOM_BYTES)` tries or in `TIMEOUT_S` seconds.
    """
    spoilt = ""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            for room_bytes in ROOM_BYTES:
                try:
                    return await _exchange(kind, flags, request, read, room_bytes)
                except AgainError as again:
                    spoilt = str(again)
    except TimeoutError as error:
        raise ProbeError(f"rtnetlink: no answer within {TIMEOUT_S} s") from error
    except OSError as error:
        if refusals and error.errno is not None and error.errno in refusals:
            return [refusals[error.errno]]
        if error.errno in ABSENT:
            return []
        raise ProbeError(f"rtnetlink: {error.strerror}") from error
    except (struct.error, ValueError, LookupError) as error:
        raise ProbeError(f"rtnetlink: an answer that makes no sense: {error}") from error
    raise ProbeError(f"rtnetlink: {len(ROOM_BYTES)} times in a row, the answer {spoilt}")


async def _exchange(kind: int, flags: int, request: bytes, read: Read[T], room_bytes: int) -> list[T]:
    read_so_far: list[T] = []
    with open_socket() as kernel:
        kernel.send(NLMSGHDR.pack(NLMSGHDR.size + len(request), kind, NLM_F_REQUEST | flags, 0, 0) + request)
        while True:
            datagram = await receive(kernel, room_bytes)
            for (_length, its_kind, its_flags, _sequence, _port), answer in records(datagram, 0, NLMSGHDR):
                if its_flags & NLM_F_DUMP_INTR or its_kind == NLMSG_OVERRUN:
                    raise AgainError("changed while it was read")
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


def open_socket() -> socket.socket:
    """A socket that takes messages from the kernel alone (connected to port 0), and filtered dumps (Linux 4.20)."""
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    kernel = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
    kernel.connect((0, 0))
    with suppress(OSError):  # an older kernel sends more than was asked for, and the readers pick
        kernel.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
    return kernel


async def receive(kernel: socket.socket, room_bytes: int) -> bytes:
    while True:
        try:
            datagram, _, flags, _ = kernel.recvmsg(room_bytes)
        except BlockingIOError:
            await _readable(kernel)
            continue
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                raise AgainError("overran the socket's buffer") from error
            raise
        if flags & socket.MSG_TRUNC:
            raise AgainError(f"had no room in {room_bytes} bytes")
        return datagram


async def _readable(kernel: socket.socket) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(kernel, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(kernel)


def records(data: bytes, start: int, header: Struct) -> Iterator[tuple[tuple[int, ...], bytes]]:
    """Header and payload of each record; a header begins with the record's length, a record at a multiple of four."""
    while start < len(data):
        fields = header.unpack_from(data, start)
        end = start + fields[0]
        if not start + header.size <= end <= len(data):
            raise AgainError("was cut off")
        yield fields, data[start + header.size : end]
        start = end + -end % 4


def _raise_refusal(answer: bytes) -> None:
    """Raises what NLMSG_ERROR or the end of a dump tells: a negative errno, or 0 for none."""
    code = -ERROR_CODE.unpack_from(answer)[0]
    if code in PASSING:
        raise AgainError(f"was put off ({os.strerror(code)})")
    if code:
        raise OSError(code, os.strerror(code))


def attribute(kind: int, payload: bytes) -> bytes:
    return NLATTR.pack(NLATTR.size + len(payload), kind) + payload + bytes(-len(payload) % 4)


def attributes_of(answer: bytes, start: int) -> dict[int, bytes]:
    return {kind & NLA_TYPE_MASK: payload for (_length, kind), payload in records(answer, start, NLATTR)}


def number_of(attributes: dict[int, bytes], kind: int, default: int) -> int:
    return int.from_bytes(attributes[kind], sys.byteorder) if kind in attributes else default
