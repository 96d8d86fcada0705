"""What servers say to a client that minds what it gets."""

from guardian_agent.host import (
    GrpcAnswer,
    Held,
    NameAnswer,
    Page,
    Presented,
    Resumed,
    dns,
    grpc_health,
    idle,
    pages,
    tls,
)
from guardian_agent.model import Endpoint


class LocalClients:
    """Asks from this host, as any client would; each conversation has a connection of its own."""

    def __init__(self) -> None:
        self._once_resumed: set[Endpoint] = set()

    async def page(self, url: str, timeout_s: float, *, through: str | None = None, limit_bytes: int = 1 << 20) -> Page:
        """One GET to its end. Raises ProbeError for a URL it cannot use."""
        return await pages.page(url, timeout_s, through, limit_bytes)

    async def hold_page(self, url: str, answer_within_s: float, hold_s: float, *, through: str | None = None) -> Held:
        """A GET, silence, and the same GET again. Raises ProbeError for a URL it cannot use."""
        return await pages.hold_page(url, answer_within_s, hold_s, through)

    async def hold(self, endpoint: Endpoint, connect_within_s: float, hold_s: float) -> Held:
        """A connection over which nothing is said. Raises ProbeError."""
        return await idle.hold(endpoint, connect_within_s, hold_s)

    async def presented(
        self, endpoint: Endpoint, timeout_s: float, *, name: str | None, ca_file: str | None
    ) -> Presented:
        """One TLS handshake that verifies. Raises ProbeError when `ca_file` cannot be used."""
        return await tls.presented(endpoint, timeout_s, name, ca_file)

    async def resumed(self, endpoint: Endpoint, timeout_s: float, *, name: str | None) -> Resumed:
        """A TLS handshake, and others with its session until one takes it up. Raises ProbeError."""
        answer = await tls.resumed(endpoint, timeout_s, name, ever=endpoint in self._once_resumed)
        if answer.resumed:
            self._once_resumed.add(endpoint)
        return answer

    async def ask_name(self, server: str, name: str, kind: str, timeout_s: float) -> NameAnswer:
        """One question to a name server. Raises ProbeError."""
        return await dns.ask(server, name, kind, timeout_s)

    async def grpc_health(self, endpoint: Endpoint, service: str, timeout_s: float) -> GrpcAnswer:
        """One health check. Raises ProbeError when gRPC is not installed."""
        return await grpc_health.check(endpoint, service, timeout_s)
