"""What do servers say to a client that minds what it gets?"""

from typing import Protocol

import msgspec

from guardian_agent.host.protocols.sockets import Answer
from guardian_agent.model import Endpoint


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer to a GET."""

    answer: Answer  # with a status, the head has come
    headers: dict[str, str] = {}  # names in lower case; several of one name are joined by commas
    body: bytes = b""  # as it was sent, without chunking
    cut: bool = False  # it goes on after what was read
    incomplete: str = ""  # how it ended before its announced end
    in_time: bool = True  # False: the rest did not come in time


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a connection that was held."""

    answer: Answer  # how it began
    broken: str = ""  # how it was lost, when it did not end in an orderly way; empty: it lived to its end
    not_held: str = ""  # why this server does not let itself be held to it
    held_s: float = 0.0


class Presented(msgspec.Struct, frozen=True, kw_only=True):
    """What a server presented to a TLS client that verifies it."""

    answer: Answer  # of the connection below
    not_after_wall_s: float | None = None  # None: it was refused, and then there is a problem
    problem: str = ""  # expired, not_trusted (or incomplete, or for another name), handshake; empty: accepted
    reason: str = ""


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a TLS session was taken up again by a second connection."""

    answer: Answer
    resumed: bool = False
    ever: bool = False  # it was, since this agent runs
    reason: str = ""  # why a handshake failed, as far as one did
    version: str = ""  # TLSv1.3 …


class NameAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What one name server said to one question."""

    code: str = ""  # NOERROR, NXDOMAIN, SERVFAIL …; empty: there was no answer, and `reason` says why
    addresses: tuple[str, ...] = ()
    reason: str = ""
    elapsed_s: float = 0.0


class GrpcAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the standard health service said (grpc.health.v1)."""

    answer: Answer  # of the connection below
    code: str = ""  # OK, DEADLINE_EXCEEDED, UNIMPLEMENTED …
    serving: str = ""  # SERVING, NOT_SERVING, …, with the code OK
    reason: str = ""


class Clients(Protocol):
    """Conversations as clients have them. Each raises ProbeError for what cannot be asked at all."""

    async def page(self, url: str, timeout_s: float, *, through: str | None = None, limit_bytes: int = 1 << 20) -> Page:
        """One GET to its end, or as much of it. `through`: another address of the same server than the URL's."""

    async def hold_page(self, url: str, answer_within_s: float, hold_s: float, *, through: str | None = None) -> Held:
        """A GET, silence for `hold_s` seconds, and the same GET again over the same connection."""

    async def hold(self, endpoint: Endpoint, connect_within_s: float, hold_s: float) -> Held:
        """A connection over which nothing is said; halfway through, the kernel asks whether the other side is still
        there (TCP keep-alive), which a server does not notice."""

    async def presented(
        self, endpoint: Endpoint, timeout_s: float, *, name: str | None, ca_file: str | None
    ) -> Presented:
        """One TLS handshake. `name`: what the certificate must be for; None: that is not compared. `ca_file`: whom to
        trust; None: the system's authorities."""

    async def resumed(self, endpoint: Endpoint, timeout_s: float, *, name: str | None) -> Resumed:
        """A TLS handshake, and others with its session until one takes it up; nothing is verified."""

    async def ask_name(self, server: str, name: str, kind: str, timeout_s: float) -> NameAnswer:
        """One question for records of a kind (A, AAAA, NS) to a name server, over UDP."""

    async def grpc_health(self, endpoint: Endpoint, service: str, timeout_s: float) -> GrpcAnswer:
        """One health check."""
