"""TLS as a client sees it: what is presented, and whether a session can be taken up again."""

import asyncio
import contextlib
import os
import socket
import ssl
import time
from functools import lru_cache

from guardian_agent.errors import ProbeError
from guardian_agent.host import Answer, Presented, Resumed
from guardian_agent.host.aside import Aside
from guardian_agent.host.dialling import dial, reason
from guardian_agent.model import Endpoint

READ_BYTES = 16384
MOST_READS = 16  # of what a server says before it sends what a session is resumed with
EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED; openssl/x509_vfy.h
TRIES = 3
TICKET_WITHIN_S = 0.25  # TLS 1.3 sends what a session is resumed with after the handshake


async def presented(endpoint: Endpoint, timeout_s: float, name: str | None, ca_file: str | None) -> Presented:
    """One handshake that verifies. Raises ProbeError when `ca_file` cannot be used."""
    names = name is not None
    context = await _reading.ask((ca_file, names), lambda: _trusting(ca_file, names))
    outcome = await dial(endpoint, timeout_s)
    if isinstance(outcome, Answer):
        return Presented(answer=outcome)
    connection, dialled_s = outcome
    answer = Answer(connected=True, elapsed_s=dialled_s)
    with connection:
        try:
            async with asyncio.timeout(timeout_s - dialled_s):
                secured = Secured(connection, context, name)
                await secured.handshake()
                await secured.close()
        except TimeoutError:
            return Presented(answer=answer, problem="handshake", reason=f"no end of it within {timeout_s:g} s")
        except ssl.SSLCertVerificationError as error:
            problem = "expired" if error.verify_code == EXPIRED else "not_trusted"
            return Presented(answer=answer, problem=problem, reason=error.verify_message)
        except (OSError, EOFError) as error:
            return Presented(answer=answer, problem="handshake", reason=_said(error))
    until = (secured.tls.getpeercert() or {}).get("notAfter", "")
    return Presented(answer=answer, not_after_wall_s=float(ssl.cert_time_to_seconds(str(until))))


async def resumed(endpoint: Endpoint, timeout_s: float, name: str | None, *, ever: bool) -> Resumed:
    """A handshake, and more with its session until one takes it up; all within `timeout_s` seconds.

    More than one, since the workers of a server need not know each other's sessions.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # trust is another probe's question
    session: ssl.SSLSession | None = None
    reused, version, answer = False, "", Answer(connected=False)
    left_until_s = time.monotonic() + timeout_s
    for _ in range(1 + TRIES):
        outcome = await dial(endpoint, max(0.0, left_until_s - time.monotonic()))
        if isinstance(outcome, Answer):
            return Resumed(answer=outcome)
        connection, dialled_s = outcome
        answer = Answer(connected=True, elapsed_s=dialled_s)
        with connection:
            try:
                async with asyncio.timeout(left_until_s - time.monotonic()):
                    secured = Secured(connection, context, name)
                    await secured.handshake(session)
                    version = secured.tls.version() or ""
                    reused = bool(secured.tls.session_reused)
                    session = session or await secured.session()
                    await secured.close()
                    if reused:
                        break
            except TimeoutError:
                return Resumed(answer=answer, ever=ever, reason=f"no end of the handshake within {timeout_s:g} s")
            except (OSError, EOFError) as error:
                return Resumed(answer=answer, ever=ever, reason=_said(error))
    return Resumed(answer=answer, resumed=reused, ever=ever or reused, version=version)


class Secured:
    """TLS over a socket that the loop reads: asyncio's own cannot be given a session."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext, name: str | None) -> None:
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._context, self._name = context, name
        self.tls: ssl.SSLObject

    async def handshake(self, session: ssl.SSLSession | None = None) -> None:
        """Raises ssl.SSLError, OSError; EOFError when the other side ends the connection."""
        self.tls = self._context.wrap_bio(self._incoming, self._outgoing, server_hostname=self._name, session=session)
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    await self._flush()  # the other side is told why
                raise
            else:
                await self._flush()
                return

    async def session(self) -> ssl.SSLSession | None:
        """What the session can be taken up again with. TLS 1.3 sends it after the handshake, or never does."""
        with contextlib.suppress(TimeoutError, OSError, EOFError):
            async with asyncio.timeout(TICKET_WITHIN_S):
                for _ in range(MOST_READS):
                    if self.tls.version() != "TLSv1.3" or (self.tls.session and self.tls.session.has_ticket):
                        break
                    await self._receive()
                    with contextlib.suppress(ssl.SSLWantReadError):
                        self.tls.read(READ_BYTES)
        return self.tls.session

    async def close(self) -> None:
        """Says goodbye: a server forgets the session of a connection that just breaks off (RFC 5246, 7.2.1)."""
        with contextlib.suppress(OSError):
            with contextlib.suppress(ssl.SSLError):
                self.tls.unwrap()
            await self._flush()

    async def _receive(self) -> None:
        if not (data := await asyncio.get_running_loop().sock_recv(self._connection, READ_BYTES)):
            raise EOFError("the other side ended the connection")
        self._incoming.write(data)
        await asyncio.sleep(0)  # from who never stops sending nothing is waited for, and nobody else had a turn

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await asyncio.get_running_loop().sock_sendall(self._connection, data)


_reading = Aside()  # a file may lie on a disk that is dead


def _trusting(ca_file: str | None, names: bool) -> ssl.SSLContext:
    try:
        changed_ns = os.stat(ca_file).st_mtime_ns if ca_file else 0  # noqa: PTH116
        return _context(ca_file, changed_ns, names)
    except (OSError, ssl.SSLError) as error:
        raise ProbeError(f"{ca_file or 'the system certificates'}: {reason(error)}") from error


@lru_cache(maxsize=8)
def _context(ca_file: str | None, _changed_ns: int, names: bool) -> ssl.SSLContext:
    """Reading the system's authorities costs 20 ms and 2 MB, so it is done once, and again when a file has changed."""
    context = ssl.create_default_context(cafile=ca_file)
    context.check_hostname = names
    return context


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).lower().replace("_", " ")
    return reason(error) if isinstance(error, OSError) else str(error)
