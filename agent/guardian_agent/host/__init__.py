"""The only door to the machine: typed readers, and one way to change anything, `await host.do(operation)`.

`LocalHost` (local.py) is the real one; tests use a host that is a dictionary. Readers raise `ProbeError` when they
cannot tell (no permission, no bus), never a made-up answer.
"""

from typing import Protocol, Self

import msgspec

from guardian_agent.host.operations import Operation
from guardian_agent.model import Endpoint, Stamp


class UnitState(msgspec.Struct, frozen=True, kw_only=True):
    """What systemd says of a unit at one moment (org.freedesktop.systemd1(5))."""

    unit: str
    load_state: str  # loaded, not-found, masked, …
    active_state: str  # active, reloading, inactive, failed, activating, deactivating
    sub_state: str = ""
    result: str = ""  # success, exit-code, signal, timeout, start-limit-hit, …
    job_id: int = 0  # 0: no job is pending
    job_type: str = ""  # start, stop, restart, … of the pending job; empty when there is none or it is already gone
    control_group: str = ""
    restarts: int = 0  # NRestarts: automatic restarts by systemd itself


class UnitEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to a unit: a property changed, or a job was queued or finished. It never judges by itself."""

    unit: str
    kind: str  # "changed", "job_new", "job_removed"
    job_id: int = 0
    job_type: str = ""  # as far as it could still be read
    job_result: str = ""  # job_removed: done, canceled, timeout, failed, dependency, skipped
    ours: bool = False  # the job was queued by this agent
    missed: bool = False  # made up: something may have happened that was not told


class UnitEvents(Protocol):
    """Events as they come; `aclose` ends them."""

    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> UnitEvent: ...
    async def aclose(self) -> None: ...


class Units(Protocol):
    """systemd units, over D-Bus."""

    async def state(self, unit: str) -> UnitState:
        """The unit as it is now. A unit that does not exist has `load_state` "not-found". Raises ProbeError."""

    async def needs(self, unit: str) -> tuple[str, ...]:
        """The units that systemd stops this one with (Requires=, BindsTo=, PartOf=). Raises ProbeError."""

    async def own_name(self, unit: str) -> str:
        """systemd's own name of a unit, which an alias is not; a name that no unit has stays. Raises ProbeError."""

    def events(self) -> UnitEvents:
        """Events of the watched units from now on, until the iterator is closed; reconnects to the bus by itself.

        After a reconnect one "changed" event per watched unit is made up, since some may have been missed.
        """

    def watch(self, unit: str) -> None:
        """From now on `events` tells of this unit."""

    async def cgroup_id(self, control_group: str) -> int | None:
        """The kernel's id of a unit's control group (inode of its cgroup v2 folder); None when there is none."""

    async def cgroup_ids_below(self, control_group: str) -> set[int]:
        """The ids of the groups below a unit's own (Delegate=), as many as are looked at."""


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A listening TCP socket, from inet_diag (sock_diag(7))."""

    endpoint: Endpoint
    uid: int
    inode: int
    cgroup_id: int | None  # None: the kernel does not tell
    backlog: int = 0  # connections that wait for accept
    backlog_limit: int = 0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one connection attempt or HTTP request; `refused`, `timed_out` and `unreachable` exclude
    `connected`."""

    connected: bool
    refused: bool = False
    timed_out: bool = False  # connecting took longer than the limit
    unreachable: str = ""  # the kernel's reason: no route, host down, name not found …
    status: int | None = None  # HTTP status; None: connected and no (whole) status line came
    broken: str = ""  # connected, and then: reset, not HTTP, TLS failure …; empty with status None: no answer in time
    elapsed_s: float = 0.0


class Sockets(Protocol):
    """Who listens, and who answers."""

    async def listener(self, endpoint: Endpoint) -> Listener | None:
        """The listening socket that would take a connection to `endpoint` on this host, or None. Raises ProbeError."""

    async def connect(self, endpoint: Endpoint, timeout_s: float) -> Answer:
        """Opens and closes one TCP connection."""

    async def http_get(self, url: str, timeout_s: float) -> Answer:
        """One GET over a fresh connection, until the status line is in; no redirect is followed, no proxy is used.

        `https:` verifies against the system's certificates. `timeout_s` bounds the whole exchange.
        """


class ProcessState(msgspec.Struct, frozen=True, kw_only=True):
    """A process, told from its pid's later users by its start time (clock ticks since boot, proc(5) field 22)."""

    pid: int
    start_ticks: int
    alive: bool
    status: str = ""  # R, S, D, T (stopped), Z …
    session: int = 0  # the session's id, which is the pid of its leader; 0: not told
    exit_code: int | None = None  # of our own child, once reaped; negative: the signal that killed it


class Processes(Protocol):
    """Processes of this host, and the commands that this agent started."""

    async def command(self, component: str) -> ProcessState | None:
        """The process that was last started for a `command` component; None when none ever was (on this boot)."""

    async def wait_exit(self, component: str) -> None:
        """Returns when the component's present process is gone (pidfd); at once when there is none."""

    async def holders(self, listener: Listener) -> list[ProcessState]:
        """The processes that hold a listening socket, as far as this user may see them."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A network interface (rtnetlink(7))."""

    name: str
    admin_up: bool
    carrier: bool


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A default route."""

    interface: str
    gateway: str | None  # None: the route goes straight on to the link


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel knows of an address on the link (ARP, NDP)."""

    address: str
    mac: str | None
    state: str  # reachable, stale, delay, probe, failed, incomplete, permanent, noarp, none


class Netlink(Protocol):
    """Links, routes and neighbours, read from the kernel. Each raises ProbeError when the kernel does not answer."""

    async def link(self, name: str) -> Link | None:
        """The interface of that name, or None."""

    async def default_route(self) -> Route | None:
        """The default route with the lowest metric, IPv4 before IPv6, or None."""

    async def neighbour(self, address: str, interface: str) -> Neighbour | None:
        """The kernel's entry for an address, or None when it has none."""

    async def addresses(self, interface: str) -> list[str]:
        """The addresses of an interface that are not link-local, as `ADDRESS/PREFIX`."""


class Clock(Protocol):
    def now(self) -> Stamp:
        """This moment by all three clocks."""


class Host(Protocol):
    """One machine."""

    @property
    def netlink(self) -> Netlink: ...
    @property
    def units(self) -> Units: ...
    @property
    def sockets(self) -> Sockets: ...
    @property
    def processes(self) -> Processes: ...
    @property
    def clock(self) -> Clock: ...

    async def do(self, operation: Operation) -> None:
        """Carries out one operation and returns when it has taken effect. Raises OperationError."""
