"""What is run as a command of the operator's: a component outside a service, or a program to its end."""

import shlex
from typing import ClassVar

import msgspec

from guardian_agent.host.operations.base import Change


class StartCommand(Change, frozen=True, tag=True):
    """Starts a component's command in a session of its own, output to a file; one that runs already is fine."""

    needs_root: ClassVar = False
    component: str
    argv: tuple[str, ...]

    def describe(self) -> str:
        return f"setsid {shlex.join(self.argv)} &"


class StopCommand(Change, frozen=True, tag=True):
    """Ends a command's whole session: SIGTERM, and SIGKILL to what is left after `grace_s` seconds (0: at once)."""

    needs_root: ClassVar = False
    component: str
    grace_s: float = 10.0

    def describe(self) -> str:
        signal = "SIGKILL" if self.grace_s == 0 else f"SIGTERM, after {self.grace_s:g} s SIGKILL"
        return f"{signal} to every process of {self.component}"


class RunProgram(Change, frozen=True, tag=True):
    """Runs a program that the operator declared: an argument list, no shell, a time limit; exit 0 is success."""

    needs_root: ClassVar = False
    argv: tuple[str, ...]
    timeout_s: float = 30.0
    environment: dict[str, str] = msgspec.field(default_factory=dict)  # beside the agent's own

    def describe(self) -> str:
        return shlex.join(self.argv)


CommandOperation = StartCommand | StopCommand | RunProgram
