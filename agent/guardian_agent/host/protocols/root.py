"""Who does what needs root?"""

from typing import Protocol, TypeVar

from guardian_agent.host.operations import ReloadUnit, RootOperation
from guardian_agent.host.protocols.units import Units
from guardian_agent.host.questions import Question

T = TypeVar("T")


class RootUnits(Units, Protocol):
    """systemd units as root has them: what polkit lets nobody else do can be done."""

    async def reload(self, operation: ReloadUnit) -> None:
        """Reloads a unit, or restarts one that cannot be; returns when the job is done. Raises OperationError."""


class Root(Protocol):
    """Root itself, or the executor that acts for it."""

    async def do(self, operation: RootOperation) -> None:
        """Carries out one operation and returns when it has taken effect. Raises OperationError."""

    async def ask(self, question: Question[T]) -> T:
        """The answer to one question. Raises ProbeError."""
