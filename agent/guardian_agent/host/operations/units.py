"""Changes to systemd units that polkit allows the agent itself, and those that only root may make."""

from typing import ClassVar

from guardian_agent.host.operations.base import Change

UNIT_JOB_LIMIT_S = 3600.0  # systemd's own TimeoutStartSec and TimeoutStopSec end a job; this is for units without them


class StartUnit(Change, frozen=True, tag=True):
    """Starts a unit and waits until systemd's job is done; one that is active already is fine."""

    needs_root: ClassVar = False
    unit: str
    timeout_s: float = UNIT_JOB_LIMIT_S

    def describe(self) -> str:
        return f"systemctl start {self.unit}"


class StopUnit(Change, frozen=True, tag=True):
    """Stops a unit and waits until systemd's job is done; one that is not running is fine."""

    needs_root: ClassVar = False
    unit: str
    timeout_s: float = UNIT_JOB_LIMIT_S

    def describe(self) -> str:
        return f"systemctl stop {self.unit}"


class RestartUnit(Change, frozen=True, tag=True):
    """Stops a unit if it runs, starts it, and waits until systemd's job is done."""

    needs_root: ClassVar = False
    unit: str
    timeout_s: float = UNIT_JOB_LIMIT_S

    def describe(self) -> str:
        return f"systemctl restart {self.unit}"


class KillUnit(Change, frozen=True, tag=True):
    """Sends a signal to every process of a unit's control group; a unit without processes is fine.

    With `wait_s` it waits so many seconds at most for them to end, as for a core dump to be written; that some are left
    then is for the next step to see.
    """

    needs_root: ClassVar = False
    unit: str
    signal: str = "SIGKILL"
    wait_s: float = 0.0

    def describe(self) -> str:
        waiting = f"; wait {self.wait_s:g} s at most" if self.wait_s else ""
        return f"systemctl kill --signal={self.signal} {self.unit}{waiting}"


class ResetFailedUnit(Change, frozen=True, tag=True):
    """Forgets a unit's failed state and its start-limit count, so that our own starts do not run into the limit."""

    needs_root: ClassVar = False
    unit: str

    def describe(self) -> str:
        return f"systemctl reset-failed {self.unit}"


UnitOperation = StartUnit | StopUnit | RestartUnit | KillUnit | ResetFailedUnit
