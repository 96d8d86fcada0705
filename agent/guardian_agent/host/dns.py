"""One question to one name server, over UDP (RFC 1035)."""

import asyncio
import contextlib
import os
import socket
import struct
import time

from guardian_agent.errors import ProbeError
from guardian_agent.host import NameAnswer
from guardian_agent.host.dialling import OWN_SHORTAGE, numeric, reason

KINDS = {"A": 1, "NS": 2, "AAAA": 28}
INTERNET, RECURSION_DESIRED, ANSWER = 1, 0x0100, 0x8000
CODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
HEADER = struct.Struct("!HHHHHH")
RECORD = struct.Struct("!HHIH")  # type, class, time to live, length
PORT = 53
LARGEST = 4096
MOST_STRAY = 1000  # packets that are no answer to our question, while we wait for one
MOST_POINTERS = 0xC0


async def ask(server: str, name: str, kind: str, timeout_s: float, *, port: int = PORT) -> NameAnswer:
    """One question; it is sent again at half of the time, since one packet may get lost.

    Raises:
        ProbeError: the server is no address, the name is no name, or there is no socket to ask from.
    """
    if (address := numeric(server, port)) is None:
        raise ProbeError(f"a name server has an address: {server!r}")
    family, where = address
    number = int.from_bytes(os.urandom(2), "big")
    question = HEADER.pack(number, RECURSION_DESIRED, 1, 0, 0, 0) + _question(name, kind)
    started = time.monotonic()
    loop = asyncio.get_running_loop()
    try:
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as asking:
            await loop.sock_connect(asking, where)
            for _ in range(2):
                await loop.sock_sendall(asking, question)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(timeout_s / 2):
                        code, addresses = await _answer(asking, number, KINDS[kind])
                        return NameAnswer(code=code, addresses=addresses, elapsed_s=time.monotonic() - started)
    except OSError as error:
        if error.errno in OWN_SHORTAGE:
            raise ProbeError(f"cannot open a socket to {server}: {reason(error)}") from error
        return NameAnswer(reason=reason(error), elapsed_s=time.monotonic() - started)
    return NameAnswer(reason=f"no answer within {timeout_s:g} s", elapsed_s=time.monotonic() - started)


async def _answer(asking: socket.socket, number: int, kind: int) -> tuple[str, tuple[str, ...]]:
    for _ in range(MOST_STRAY):
        answer = await asyncio.get_running_loop().sock_recv(asking, LARGEST)
        if (read := _read(answer, number, kind)) is not None:
            return read
        await asyncio.sleep(0)  # in a flood nothing is waited for, and neither others nor the time limit had a turn
    raise ProbeError(f"more than {MOST_STRAY} packets that answer nothing: no telling what the name server says")


def _question(name: str, kind: str) -> bytes:
    try:
        # An ASCII name needs none of the tables that the other codec loads.
        labels = [label.encode("ascii" if label.isascii() else "idna") for label in name.split(".") if label]
    except UnicodeError as error:
        raise ProbeError(f"no name of a host: {name!r}") from error
    if any(len(label) > 63 for label in labels) or sum(map(len, labels)) + len(labels) > 254:
        raise ProbeError(f"no name of a host: {name!r}")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0" + struct.pack("!HH", KINDS[kind], INTERNET)


def _read(answer: bytes, number: int, kind: int) -> tuple[str, tuple[str, ...]] | None:
    """The code and the addresses in an answer; None for what is no answer to this question."""
    try:
        its_number, flags, questions, answers, _, _ = HEADER.unpack_from(answer)
        if its_number != number or not flags & ANSWER:
            return None
        at = HEADER.size
        for _ in range(questions):
            at = _after_name(answer, at) + 4
        addresses = []
        for _ in range(answers):
            at = _after_name(answer, at)
            its_kind, _, _, length = RECORD.unpack_from(answer, at)
            at += RECORD.size
            if its_kind == kind and length in (4, 16):
                family = socket.AF_INET if length == 4 else socket.AF_INET6
                addresses.append(socket.inet_ntop(family, answer[at : at + length]))
            at += length
    except (struct.error, IndexError, ValueError):
        return None
    code = flags & 0xF
    return CODES[code] if code < len(CODES) else f"code {code}", tuple(addresses)


def _after_name(answer: bytes, at: int) -> int:
    while (length := answer[at]) != 0:
        if length >= MOST_POINTERS:  # the rest of the name stands elsewhere
            return at + 2
        at += 1 + length
    return at + 1
