"""Who does what needs root?"""

from typing import Protocol, TypeVar

from guardian_agent.host.operations import RootOperation
from guardian_agent.host.questions import Question

T = TypeVar("T")


class Root(Protocol):
    """Root itself, or the executor that acts for it."""

    async def do(self, operation: RootOperation) -> None:
        """Carries out one operation and returns when it has taken effect. Raises OperationError."""

    async def ask(self, question: Question[T]) -> T:
        """The answer to one question. Raises ProbeError."""
