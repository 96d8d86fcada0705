"""HTTP answers read to their end, and connections held between two of them (RFC 9112)."""

import asyncio
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from guardian_agent.host import Answer, Held, Page
from guardian_agent.host.dialling import dial, reason
from guardian_agent.host.http import STATUS_LINE, BrokenAnswerError, Request, request_for, system_trust
from guardian_agent.model import Endpoint

LONGEST_LINE = 16384
MOST_LINES = 200
READ_BYTES = 65536
KEPT_BYTES = 1 << 20  # of a page after which the connection is used again; a longer one is not read to its end
# A server may promise less than we would hold it to: that is its right.
PROMISE = re.compile(r"timeout\s*=\s*\"?([0-9]+)", re.IGNORECASE)


class Head(msgspec.Struct, frozen=True):
    """The head of an answer."""

    version: str
    status: int
    headers: dict[str, str]

    def has(self, header: str, token: str) -> bool:
        return token in [word.strip().lower() for word in self.headers.get(header, "").split(",")]


class Body(msgspec.Struct):
    """As much of an answer's body as has come."""

    data: bytearray
    cut: bool = False
    incomplete: str = ""
    ends_with_connection: bool = False


class Connection:
    """One connection to an HTTP server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    async def ask(self, head: bytes) -> Head:
        """Sends a request, and reads the head of the answer. Raises BrokenAnswerError, OSError."""
        self._writer.write(head)
        while True:
            answer = await self._head()
            if answer.status >= 200:
                return answer

    async def body(self, head: Head, body: Body, limit_bytes: int) -> None:
        """Reads the body into `body`, so that what has come is there when this is cancelled."""
        if head.status in (204, 304):
            return
        try:
            if head.has("transfer-encoding", "chunked"):
                await self._chunks(body, limit_bytes)
            elif (length := head.headers.get("content-length")) is not None:
                await self._counted(body, length, limit_bytes)
            else:
                body.ends_with_connection = True
                await self._rest(body, limit_bytes)
        except OSError as error:
            body.incomplete = f"{reason(error)} after {len(body.data)} bytes"

    async def _head(self) -> Head:
        line = await self._line()
        if not (match := STATUS_LINE.match(line)):
            raise BrokenAnswerError(f"not HTTP: {line[:40]!r}" if line else "closed without an answer")
        headers: dict[str, str] = {}
        for _ in range(MOST_LINES):
            text = (await self._line()).decode("latin-1")
            if text in ("\r\n", "\n"):
                return Head(line[:8].decode("ascii"), int(match[1]), headers)
            if not text.endswith("\n"):
                raise BrokenAnswerError("closed within the head")
            name, _, value = text.partition(":")
            name, value = name.strip().lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        raise BrokenAnswerError(f"a head of more than {MOST_LINES} lines")

    async def _line(self) -> bytes:
        try:
            return await self.reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            return error.partial
        except asyncio.LimitOverrunError as error:
            raise BrokenAnswerError(f"not HTTP: a line of more than {LONGEST_LINE} bytes") from error

    async def _counted(self, body: Body, length: str, limit_bytes: int) -> None:
        if not length.isdecimal():
            body.incomplete = f"Content-Length: {length[:40]!r}"
            return
        wanted = int(length)
        await self._take(body, min(wanted, limit_bytes))
        body.cut = wanted > limit_bytes
        if len(body.data) < min(wanted, limit_bytes):
            body.incomplete = f"ended after {len(body.data)} of {wanted} bytes"

    async def _chunks(self, body: Body, limit_bytes: int) -> None:
        while True:
            line = await self._line()
            size = line.split(b";")[0].strip()
            if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size):
                at = f"after {len(body.data)} bytes"
                body.incomplete = (
                    f"a chunk of {size[:20]!r} bytes, {at}" if line else f"ended without a last chunk, {at}"
                )
                return
            length = int(size, 16)
            if length == 0:
                while (await self._line()).strip():
                    pass
                return
            if len(body.data) + length > limit_bytes:
                await self._take(body, limit_bytes - len(body.data))
                body.cut = True
                return
            before = len(body.data)
            await self._take(body, length)
            if len(body.data) < before + length:
                body.incomplete = f"ended within a chunk, after {len(body.data)} bytes"
                return
            await self._line()

    async def _rest(self, body: Body, limit_bytes: int) -> None:
        await self._take(body, limit_bytes)
        body.cut = len(body.data) >= limit_bytes

    async def _take(self, body: Body, count: int) -> None:
        until = len(body.data) + count
        while (left := until - len(body.data)) > 0:
            if not (data := await self.reader.read(min(left, READ_BYTES))):
                return
            body.data += data


@asynccontextmanager
async def connection(dialled: socket.socket, request: Request) -> AsyncIterator[Connection]:
    """Takes over a connected socket. Raises OSError when TLS fails."""
    try:
        context = await system_trust() if request.tls_name is not None else None
    except BaseException:
        dialled.close()  # from the next step on, the transport owns it
        raise
    reader, writer = await asyncio.open_connection(
        sock=dialled, ssl=context, server_hostname=request.tls_name, limit=LONGEST_LINE
    )
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


async def page(url: str, timeout_s: float, through: str | None, limit_bytes: int) -> Page:
    """One GET to its end. Raises ProbeError for a URL it cannot use."""
    request = request_for(url)
    started = time.monotonic()
    outcome = await dial(_endpoint(request, through), timeout_s)
    if isinstance(outcome, Answer):
        return Page(answer=outcome)
    dialled, dialled_s = outcome
    head: Head | None = None
    body, broken, in_time = Body(bytearray()), "", True
    try:
        async with asyncio.timeout(timeout_s - dialled_s), connection(dialled, request) as server:
            head = await server.ask(request.with_lines("Accept-Encoding: gzip", "Connection: close"))
            await server.body(head, body, limit_bytes)
    except TimeoutError:
        in_time = False
    except (BrokenAnswerError, OSError) as error:
        broken = said(error)
    status = head.status if head else None
    return Page(
        answer=Answer(connected=True, status=status, broken=broken, elapsed_s=time.monotonic() - started),
        headers=head.headers if head else {},
        body=bytes(body.data),
        cut=body.cut,
        incomplete=body.incomplete,
        in_time=in_time,
    )


async def hold_page(url: str, answer_within_s: float, hold_s: float, through: str | None) -> Held:
    """A GET, silence, and the same GET again. Raises ProbeError for a URL it cannot use."""
    request = request_for(url)
    outcome = await dial(_endpoint(request, through), answer_within_s)
    if isinstance(outcome, Answer):
        return Held(answer=outcome)
    dialled, dialled_s = outcome
    status: int | None = None
    try:
        async with connection(dialled, request) as server:
            async with asyncio.timeout(answer_within_s):
                head = await server.ask(request.with_lines())
                status = head.status
                body = Body(bytearray())
                await server.body(head, body, KEPT_BYTES)
            first = Answer(connected=True, status=status, broken=body.incomplete, elapsed_s=dialled_s)
            if first.broken or (why := _not_held(head, body, hold_s)):
                return Held(answer=first, not_held=first.broken or why)
            return await _held(server, request, first, answer_within_s, hold_s)
    except TimeoutError:
        return Held(answer=Answer(connected=True, status=None, elapsed_s=answer_within_s))
    except (BrokenAnswerError, OSError) as error:
        return Held(answer=Answer(connected=True, status=None, broken=said(error)))


async def _held(server: Connection, request: Request, first: Answer, answer_within_s: float, hold_s: float) -> Held:
    """What became of a connection after its first answer.

    A server may end one that is idle at any time, and may say so by a status (RFC 9112, 9.5; RFC 9110, 15.5.9): those
    that are short of connections do.
    """
    began_s = time.monotonic()
    broken = ""
    try:
        async with asyncio.timeout(hold_s):
            unasked = await server.reader.read(1)
        why = "says something that nobody asked for" if unasked else "ends a connection over which nothing is said"
        return Held(answer=first, not_held=f"the server {why}", held_s=time.monotonic() - began_s)
    except TimeoutError:
        broken = await _again(server, request, answer_within_s)
    except OSError as error:
        broken = said(error)
    return Held(answer=first, broken=broken, held_s=time.monotonic() - began_s)


async def _again(server: Connection, request: Request, answer_within_s: float) -> str:
    """What is wrong with the second answer; empty: nothing."""
    try:
        async with asyncio.timeout(answer_within_s):
            await server.ask(request.with_lines("Connection: close"))
    except TimeoutError:
        return f"no answer within {answer_within_s:g} s"
    except (BrokenAnswerError, OSError) as error:
        return said(error)
    return ""


def _not_held(head: Head, body: Body, hold_s: float) -> str:
    if body.ends_with_connection or head.has("connection", "close"):
        return "the server closes after each answer"
    if head.version == "HTTP/1.0" and not head.has("connection", "keep-alive"):
        return "the server speaks HTTP/1.0"
    if body.cut:
        return f"an answer of more than {KEPT_BYTES} bytes"
    promise = PROMISE.search(head.headers.get("keep-alive", ""))
    if promise and int(promise[1]) <= hold_s:
        return f"the server keeps connections for {promise[1]} s only"
    return ""


def _endpoint(request: Request, through: str | None) -> Endpoint:
    return Endpoint(through, request.endpoint.port) if through else request.endpoint


def said(error: Exception) -> str:
    """A failure, as the operator reads it."""
    if not isinstance(error, OSError):
        return str(error)
    return f"TLS: {reason(error)}" if isinstance(error, ssl.SSLError) else reason(error)
