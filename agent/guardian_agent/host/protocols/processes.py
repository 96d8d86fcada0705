"""What can be told of processes?"""

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


class Processes(Protocol):
    """Processes of this host, and the commands that this agent started."""

    async def command(self, component: str) -> ProcessState | None:
        """The process that was last started for a `command` component; None when none ever was (on this boot)."""

    async def wait_exit(self, component: str) -> None:
        """Returns when the component's present process is gone (pidfd); at once when there is none."""

    async def holders(self, listener: Listener) -> list[ProcessState]:
        """The processes that hold a listening socket, as far as this user may see them."""
