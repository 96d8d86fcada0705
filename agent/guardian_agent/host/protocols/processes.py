"""What can be told of processes?"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from guardian_agent.host.protocols.sockets import Listener


class ProcessState(msgspec.Struct, frozen=True, kw_only=True):
    """A process, told from its pid's later users by its start time (clock ticks since boot, proc(5) field 22)."""

    pid: int
    start_ticks: int
    alive: bool
    status: str = ""  # R, S, D, T (stopped), Z …
    session: int = 0  # the session's id, which is the pid of its leader; 0: not told
    exit_code: int | None = None  # of our own child, once reaped; negative: the signal that killed it


class ProcessUse(msgspec.Struct, frozen=True, kw_only=True):
    """What a process takes of the host. Its words may hold secrets: who shows them takes these out."""

    pid: int
    name: str
    argv: tuple[str, ...]  # empty: the kernel's own, or not to be told
    status: str
    cpu_percent: float  # of one processor, over a moment just now
    resident_bytes: int


class ProgramEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a program ended that was run to its end."""

    exit_code: int | None  # None: it was killed at its time limit; negative: the signal that killed it
    output: str = ""  # the end of what it wrote


class Processes(Protocol):
    """Processes of this host, and the commands that this agent started."""

    async def command(self, component: str) -> ProcessState | None:
        """The process that was last started for a `command` component; None when none ever was (on this boot)."""

    async def wait_exit(self, component: str) -> None:
        """Returns when the component's present process is gone (pidfd); at once when there is none."""

    async def busiest(self, most: int) -> list[ProcessUse]:
        """The processes that take most of the processor, and those that take most of the memory, `most` of each; the
        greediest first. Takes half a second."""

    async def holders(self, listener: Listener) -> list[ProcessState]:
        """The processes that hold a listening socket, as far as this user may see them."""

    async def check(
        self, argv: tuple[str, ...], timeout_s: float, environment: Mapping[str, str] | None = None
    ) -> ProgramEnd:
        """Runs a program that the operator declared as one that only looks, with this beside the agent's own
        environment. Raises ProbeError."""
