"""Who listens, asked of the kernel; and who answers, found out by connecting."""

import asyncio
import ssl
import time

from guardian_agent.errors import ProbeError
from guardian_agent.host import Answer, Listener, Outgoing, Queue
from guardian_agent.host.dialling import dial, reason, resolve
from guardian_agent.host.http import BrokenAnswerError, request_for, status_of
from guardian_agent.host.port_table import used
from guardian_agent.host.sock_diag import HOLDING_A_PORT, TCP_TIME_WAIT, SockDiag, endpoint_of, outgoing
from guardian_agent.model import Endpoint


class LocalSockets:
    """Reads by `sock_diag` (needs no privilege); connects from this host as any client would."""

    def __init__(self) -> None:
        self._diag = SockDiag()

    def close(self) -> None:
        self._diag.close()

    async def listener(self, endpoint: Endpoint) -> Listener | None:
        """The listening socket that would take a connection to `endpoint` on this host, or None.

        Found by the kernel's own lookup, so a wildcard bind and an IPv6 wildcard that serves IPv4 too count. The
        endpoint `0.0.0.0` (or `::`) asks for a socket on that wildcard: one bound to a single address would refuse
        connections to the others, and does not count. Sockets bound to one device are found for scoped addresses only.

        Raises:
            ProbeError: the name does not resolve, or the kernel would not tell.
        """
        try:
            for family, address in await resolve(endpoint):
                if found := self._diag.lookup(family, address):
                    return found
        except OSError as error:
            raise ProbeError(f"cannot tell who listens on {endpoint}: {reason(error)}") from error
        return None

    async def listeners(self, endpoint: Endpoint) -> list[Listener]:
        """All the listening sockets of which one would take a connection to `endpoint`: several with SO_REUSEPORT.

        Raises:
            ProbeError: the name does not resolve, or the kernel would not tell.
        """
        try:
            for family, address in await resolve(endpoint):
                if found := self._diag.listing(family, address):
                    return found
        except OSError as error:
            raise ProbeError(f"cannot tell who listens on {endpoint}: {reason(error)}") from error
        return []

    async def listening(self) -> list[Listener]:
        """Every listening TCP socket of this host. Raises ProbeError."""
        try:
            return self._diag.all_listening()
        except OSError as error:
            raise ProbeError(f"cannot tell who listens: {reason(error)}") from error

    async def queue(self, port: int) -> Queue:
        """The connections to a local port that wait for accept, and those that were taken. Raises ProbeError."""
        try:
            return await self._diag.queue(port)
        except OSError as error:
            raise ProbeError(f"cannot tell who waits at port {port}: {reason(error)}") from error

    async def outgoing(self, low: int, high: int, *, time_wait: bool = True) -> Outgoing:
        """Between which two addresses most of the local ports from `low` to `high` are in use. Raises ProbeError."""
        states = HOLDING_A_PORT if time_wait else HOLDING_A_PORT & ~(1 << TCP_TIME_WAIT)
        try:
            found = await outgoing(low, high, states)
        except OSError as error:
            raise ProbeError(f"cannot tell which ports are in use: {reason(error)}") from error
        if not found:
            return Outgoing(ports=0, to=None)
        (family, _, there), ports = max(found.items(), key=lambda item: len(item[1]))
        return Outgoing(ports=len(ports), to=endpoint_of(family, there))

    async def ports_in_use(self, low: int, high: int) -> set[int]:
        """The local ports from `low` to `high` that any TCP socket has, on whatever address. Raises ProbeError."""
        try:
            return await asyncio.to_thread(used, low, high)
        except OSError as error:
            raise ProbeError(f"cannot tell which ports are in use: {reason(error)}") from error

    async def connect(self, endpoint: Endpoint, timeout_s: float) -> Answer:
        """Opens and closes one TCP connection; a name's addresses are tried in turn.

        Connecting to a wildcard address reaches this host's loopback. Raises ProbeError when it is this process that
        lacks descriptors or memory.
        """
        outcome = await dial(endpoint, timeout_s)
        if isinstance(outcome, Answer):
            return outcome
        connection, elapsed_s = outcome
        connection.close()
        return Answer(connected=True, elapsed_s=elapsed_s)

    async def http_get(self, url: str, timeout_s: float) -> Answer:
        """One GET over a fresh connection, until the status line is in. Raises ProbeError for a URL it cannot use."""
        request = request_for(url)
        started = time.monotonic()
        outcome = await dial(request.endpoint, timeout_s)
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
            broken = f"TLS: {reason(error)}" if isinstance(error, ssl.SSLError) else reason(error)
        return Answer(connected=True, status=status, broken=broken, elapsed_s=time.monotonic() - started)
