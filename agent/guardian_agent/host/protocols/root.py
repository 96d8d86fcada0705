"""Who does what needs root?"""

from typing import Protocol, TypeVar

from guardian_agent.host.operations import RootOperation
from guardian_agent.host.questions import Question

T = TypeVar("T")


class Root(Protocol):
    """Root itself, or the executor that acts for it."""

    async def do(self, operation: RootOperation, undo: RootOperation | None = None) -> None:
        """Carries out one operation and returns when it has taken effect; whoever can arms one that may cut this host
        off with its `undo`. Raises OperationError."""

    async def keep(self, *, of_others: bool = False) -> None:
        """What was changed may stay: nothing that is armed is taken back by itself any more; `of_others`: nor what an
        agent armed that died. Raises TakenBackError: it was taken back before."""

    async def ask(self, question: Question[T]) -> T:
        """The answer to one question. Raises ProbeError."""
