"""The only door to the machine: typed readers, and one way to change anything, `await host.do(operation)`.

`LocalHost` (local.py) is the real one; tests use a host that is a dictionary. Readers raise `ProbeError` when they
cannot tell (no permission, no bus), never a made-up answer.
"""

from typing import Protocol, TypeVar

from guardian_agent.host.drift import Drift
from guardian_agent.host.growth import Grown, Growth
from guardian_agent.host.known_good import Known, KnownGood
from guardian_agent.host.operations import Operation
from guardian_agent.host.protocols.clients import Clients, GrpcAnswer, Held, NameAnswer, Page, Presented, Resumed
from guardian_agent.host.protocols.clock import Clock
from guardian_agent.host.protocols.files import Files, FileState, FileSystem
from guardian_agent.host.protocols.kernel import Kernel, Memory, Pressure, PressureEvents, Tasks, UnitLoad
from guardian_agent.host.protocols.netlink import (
    Address,
    Link,
    LinkCounters,
    Neighbour,
    Netlink,
    NetworkEvent,
    NetworkEvents,
    Route,
)
from guardian_agent.host.protocols.packets import Echo, NoNeighboursError, Packets
from guardian_agent.host.protocols.processes import Processes, ProcessState, ProcessUse, ProgramEnd
from guardian_agent.host.protocols.routing import AddressEntry, RouteEntry, Routing, RuleEntry
from guardian_agent.host.protocols.sockets import Answer, Listener, Outgoing, Queue, Sockets
from guardian_agent.host.protocols.units import ServiceSettings, UnitEvent, UnitEvents, UnitLimits, Units, UnitState
from guardian_agent.host.questions import Question

__all__ = [
    "Address",
    "AddressEntry",
    "Answer",
    "Clients",
    "Clock",
    "Drift",
    "Echo",
    "FileState",
    "FileSystem",
    "Files",
    "Grown",
    "Growth",
    "GrpcAnswer",
    "Held",
    "Host",
    "Kernel",
    "Known",
    "KnownGood",
    "Link",
    "LinkCounters",
    "Listener",
    "Memory",
    "NameAnswer",
    "Neighbour",
    "Netlink",
    "NetworkEvent",
    "NetworkEvents",
    "NoNeighboursError",
    "Operation",
    "Outgoing",
    "Packets",
    "Page",
    "Presented",
    "Pressure",
    "PressureEvents",
    "ProcessState",
    "ProcessUse",
    "Processes",
    "ProgramEnd",
    "Question",
    "Queue",
    "Resumed",
    "Route",
    "RouteEntry",
    "Routing",
    "RuleEntry",
    "ServiceSettings",
    "Sockets",
    "Tasks",
    "UnitEvent",
    "UnitEvents",
    "UnitLimits",
    "UnitLoad",
    "UnitState",
    "Units",
]


T = TypeVar("T")


class Host(Protocol):
    """One machine."""

    @property
    def netlink(self) -> Netlink: ...
    @property
    def packets(self) -> Packets: ...
    @property
    def units(self) -> Units: ...
    @property
    def sockets(self) -> Sockets: ...
    @property
    def clients(self) -> Clients: ...
    @property
    def processes(self) -> Processes: ...
    @property
    def files(self) -> Files: ...
    @property
    def kernel(self) -> Kernel: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def known(self) -> Known:
        """What this host was like when all was good."""

    @property
    def growth(self) -> Growth:
        """What the kernel's counters said at earlier looks."""

    @property
    def drift(self) -> Drift:
        """How the time of day went at earlier looks."""

    async def do(self, operation: Operation, undo: Operation | None = None) -> None:
        """Carries out one operation and returns when it has taken effect. One that may cut this host off is taken back
        by itself, with `undo`, when nothing is heard of this agent any more before it is to `keep`. Raises
        OperationError."""

    async def keep(self, *, of_others: bool = False) -> None:
        """What was changed may stay; `of_others`: what an agent changed that died, too. Raises TakenBackError: it was
        taken back before that."""

    async def let_go(self) -> None:
        """What could cut this host off, and was not to be kept yet, is taken back by itself soon."""

    async def ask(self, question: Question[T]) -> T:
        """What only root can read. Raises ProbeError."""
