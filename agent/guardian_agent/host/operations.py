"""Every change that Guardian can make to a machine, as data: one closed, tagged union.

An operation is safe to repeat and tolerates its own half-done self, since an agent may die in the middle of one. It
names secrets by path and never carries them. How it is carried out stands in `local.py`; what it would look like
typed by hand, in `describe`.
"""

import shlex
from typing import Any

import msgspec

UNIT_JOB_LIMIT_S = 3600.0  # systemd's own TimeoutStartSec and TimeoutStopSec end a job; this is for units without them


class StartUnit(msgspec.Struct, frozen=True, tag=True):
    """Starts a unit and waits until systemd's job is done; one that is active already is fine."""

    unit: str
    timeout_s: float = UNIT_JOB_LIMIT_S

    def describe(self) -> str:
        return f"systemctl start {self.unit}"


class StopUnit(msgspec.Struct, frozen=True, tag=True):
    """Stops a unit and waits until systemd's job is done; one that is not running is fine."""

    unit: str
    timeout_s: float = UNIT_JOB_LIMIT_S

    def describe(self) -> str:
        return f"systemctl stop {self.unit}"


class RestartUnit(msgspec.Struct, frozen=True, tag=True):
    """Stops a unit if it runs, starts it, and waits until systemd's job is done."""

    unit: str
    timeout_s: float = UNIT_JOB_LIMIT_S

    def describe(self) -> str:
        return f"systemctl restart {self.unit}"


class KillUnit(msgspec.Struct, frozen=True, tag=True):
    """Sends SIGKILL to every process of a unit's control group; a unit without processes is fine."""

    unit: str

    def describe(self) -> str:
        return f"systemctl kill --signal=SIGKILL {self.unit}"


class ResetFailedUnit(msgspec.Struct, frozen=True, tag=True):
    """Forgets a unit's failed state and its start-limit count, so that our own starts do not run into the limit."""

    unit: str

    def describe(self) -> str:
        return f"systemctl reset-failed {self.unit}"


class StartCommand(msgspec.Struct, frozen=True, tag=True):
    """Starts a component's command in a session of its own, output to a file; one that runs already is fine."""

    component: str
    argv: tuple[str, ...]

    def describe(self) -> str:
        return f"setsid {shlex.join(self.argv)} &"


class StopCommand(msgspec.Struct, frozen=True, tag=True):
    """Ends a command's whole session: SIGTERM, and SIGKILL to what is left after `grace_s` seconds (0: at once)."""

    component: str
    grace_s: float = 10.0

    def describe(self) -> str:
        signal = "SIGKILL" if self.grace_s == 0 else f"SIGTERM, after {self.grace_s:g} s SIGKILL"
        return f"{signal} to every process of {self.component}"


class RunProgram(msgspec.Struct, frozen=True, tag=True):
    """Runs a program that the operator declared: an argument list, no shell, a time limit; exit 0 is success."""

    argv: tuple[str, ...]
    timeout_s: float = 30.0
    environment: dict[str, str] = {}  # beside the agent's own

    def describe(self) -> str:
        return shlex.join(self.argv)


Operation = StartUnit | StopUnit | RestartUnit | KillUnit | ResetFailedUnit | StartCommand | StopCommand | RunProgram


def to_json(operation: Operation) -> dict[str, Any]:
    """The operation as a JSON object with its tag under `type`."""
    result: dict[str, Any] = msgspec.to_builtins(operation)
    return result


def from_json(value: dict[str, Any]) -> Operation:
    """The operation that `to_json` wrote. Raises msgspec.ValidationError for one that this version does not know."""
    operation: Operation = msgspec.convert(value, Operation)
    return operation
