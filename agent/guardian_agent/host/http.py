"""As much of HTTP/1.1 as it takes to see a status line, over a connection that stands already."""

import asyncio
import re
import socket
import ssl  # asyncio has loaded it anyway; what is heavy is the context
from functools import cache, lru_cache
from urllib.parse import urlsplit

import msgspec

from guardian_agent.errors import GuardianError, ProbeError
from guardian_agent.host.aside import Aside
from guardian_agent.model import Endpoint

STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9][0-9])(?: [^\r\n]*)?\r?\n")
LONGEST_LINE = 4096
# What is still unread when a socket is closed makes the kernel send a reset; a short answer fits in one read.
READ_BYTES = 16384


class BrokenAnswerError(GuardianError):
    """The server was reached and did not speak HTTP to us; the text says what it did instead."""


class Request(msgspec.Struct, frozen=True):
    """One GET as it goes out, and where to."""

    endpoint: Endpoint
    tls_name: str | None  # the name that the certificate must carry; None: plain HTTP
    lines: str  # of its head, as far as they are the same for all

    @property
    def head(self) -> bytes:
        """For one answer, of which no more than the status line is read."""
        return self.with_lines("Connection: close")

    def with_lines(self, *lines: str) -> bytes:
        """The whole head, with more header lines."""
        return "\r\n".join([self.lines, *lines, "", ""]).encode("ascii")


@lru_cache(maxsize=256)
def request_for(url: str) -> Request:
    """The request for a URL. Raises ProbeError for one that cannot be asked for."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ProbeError(f"{url}: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ProbeError(f"{url}: not of the form http[s]://HOST[:PORT]/PATH")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not f"{target}{parts.netloc}".isascii() or any(character <= " " for character in target):
        raise ProbeError(f"{url}: write spaces and characters beyond ASCII as %XX")
    secure = parts.scheme == "https"
    lines = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: guardian-agent\r\nAccept: */*"
    return Request(
        endpoint=Endpoint(parts.hostname, port or (443 if secure else 80)),
        tls_name=parts.hostname if secure else None,
        lines=lines,
    )


async def status_of(connection: socket.socket, request: Request) -> int:
    """Sends the request and returns the status; `connection` is closed afterwards, whatever happens.

    Raises:
        BrokenAnswerError: what came is not a status line, or nothing came before the end.
        OSError: the connection broke (`ssl.SSLError`, a kind of it, included).
    """
    if request.tls_name is None:
        line = await _plain(connection, request.head)
    else:
        line = await _encrypted(connection, request.head, request.tls_name)
    if match := STATUS_LINE.match(line):
        return int(match[1])
    if not line:
        raise BrokenAnswerError("closed without an answer")
    if b"\n" not in line and len(line) < LONGEST_LINE:
        raise BrokenAnswerError("closed within the status line")
    raise BrokenAnswerError(f"not HTTP: {line[:40]!r}")


async def _plain(connection: socket.socket, head: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    with connection:
        await loop.sock_sendall(connection, head)
        line = b""
        while b"\n" not in line and len(line) < LONGEST_LINE:
            if not (chunk := await loop.sock_recv(connection, READ_BYTES)):
                break
            line += chunk
    return line


async def _encrypted(connection: socket.socket, head: bytes, name: str) -> bytes:
    try:
        context = await system_trust()
    except BaseException:
        connection.close()  # from the next step on, the transport owns it
        raise
    reader, writer = await asyncio.open_connection(
        sock=connection, ssl=context, server_hostname=name, limit=LONGEST_LINE
    )
    try:
        writer.write(head)
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError:
        return await reader.readexactly(LONGEST_LINE)
    finally:
        writer.transport.abort()


async def system_trust() -> ssl.SSLContext:
    """Verifies against the system's certificates, read once, when first needed: that costs 20 ms and 2 MB."""
    if not _system_trust.cache_info().currsize:
        await _reading.ask("the system's certificates", _system_trust, fresh=False)
    return _system_trust()


_reading = Aside()


@cache
def _system_trust() -> ssl.SSLContext:
    return ssl.create_default_context()
