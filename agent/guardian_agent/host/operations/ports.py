"""Changes that make a port free for the component that it belongs to."""

from guardian_agent.host.operations.base import Change
from guardian_agent.host.operations.units import UNIT_JOB_LIMIT_S


class StopForeignUnit(Change, frozen=True, tag=True):
    """Stops a service that is no component's and holds a component's port; one that is not running is fine."""

    unit: str
    timeout_s: float = UNIT_JOB_LIMIT_S

    def describe(self) -> str:
        return f"systemctl stop {self.unit}"


class StartForeignUnit(Change, frozen=True, tag=True):
    """Starts a service again that `StopForeignUnit` has stopped on this boot; any other is left as it is."""

    unit: str
    timeout_s: float = UNIT_JOB_LIMIT_S

    def describe(self) -> str:
        return f"systemctl start {self.unit}"


class KillProcess(Change, frozen=True, tag=True):
    """Ends one process that listens on a port: SIGTERM, and SIGKILL after `grace_s` seconds. Nothing brings it back.

    It is told from a later process with the same pid by its start time (clock ticks since boot). One that is gone is
    fine, and so is one that has let go of the port: a worker may when its parent ends.
    """

    pid: int
    start_ticks: int
    port: int
    grace_s: float = 10.0
    name: str = ""

    def describe(self) -> str:
        named = f" ({self.name})" if self.name else ""
        return f"kill {self.pid}{named}, after {self.grace_s:g} s kill -KILL; it cannot be undone"


class DestroySockets(Change, frozen=True, tag=True):
    """Ends the connections of a local TCP port that no process holds any more (FIN-WAIT, TIME-WAIT, LAST-ACK, CLOSING);
    nothing else of the port."""

    port: int

    def describe(self) -> str:
        return f"ss --kill what no process holds of port {self.port}; it cannot be undone"


PortOperation = StopForeignUnit | StartForeignUnit | KillProcess | DestroySockets
