"""What can be told of sockets, by the kernel and by connecting?"""

from typing import Protocol

import msgspec

from guardian_agent.model import Endpoint


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A listening TCP socket, from inet_diag (sock_diag(7))."""

    endpoint: Endpoint
    uid: int
    inode: int
    cgroup_id: int | None  # None: the kernel does not tell
    backlog: int = 0  # connections that wait for accept
    backlog_limit: int = 0


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """Connections to a listening port, by the kernel's cookies."""

    waiting: frozenset[int]  # for accept; clients that have gone away meanwhile included
    taken: frozenset[int]  # by accept, and not yet closed


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """How many local ports are in use towards one destination, which is the one with most of them."""

    ports: int
    to: Endpoint | None  # None: there is none


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one connection attempt or HTTP request; `refused`, `timed_out` and `unreachable` exclude
    `connected`."""

    connected: bool
    refused: bool = False
    timed_out: bool = False  # connecting took longer than the limit
    dropped_here: bool = False  # timed out, and what this host sent was stopped within it, by a packet filter as a rule
    unreachable: str = ""  # the kernel's reason: no route, host down …
    status: int | None = None  # HTTP status; None: connected and no (whole) status line came
    broken: str = ""  # connected, and then: reset, not HTTP, TLS failure …; empty with status None: no answer in time
    elapsed_s: float = 0.0


class Sockets(Protocol):
    """Who listens, and who answers."""

    async def listener(self, endpoint: Endpoint) -> Listener | None:
        """The listening socket that would take a connection to `endpoint` on this host, or None. Raises ProbeError."""

    async def listeners(self, endpoint: Endpoint) -> list[Listener]:
        """All the listening sockets of which one would take a connection to `endpoint`: several with SO_REUSEPORT."""

    async def listening(self) -> list[Listener]:
        """Every listening TCP socket of this host."""

    async def queue(self, port: int) -> Queue:
        """The connections to a local port that wait for accept, and those that were taken."""

    async def outgoing(self, low: int, high: int, *, time_wait: bool = True) -> Outgoing:
        """Towards which destination most of the local ports from `low` to `high` are in use; `time_wait`: those that
        only wait for stragglers count too."""

    async def ports_in_use(self, low: int, high: int) -> set[int]:
        """The local ports from `low` to `high` that any TCP socket has, on whatever address. Raises ProbeError."""

    async def connect(self, endpoint: Endpoint, timeout_s: float) -> Answer:
        """Opens and closes one TCP connection."""

    async def http_get(self, url: str, timeout_s: float) -> Answer:
        """One GET over a fresh connection, until the status line is in; no redirect is followed, no proxy is used.

        `https:` verifies against the system's certificates. `timeout_s` bounds the whole exchange.
        """
