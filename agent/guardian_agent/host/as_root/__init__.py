"""What needs root, carried out by root: in the executor, or in the agent itself where that runs as root.

A family of operations and questions a file; nothing here asks whether it is allowed, which is the executor's to know.
"""

import os
from typing import TypeVar, assert_never, cast

from guardian_agent.errors import ProbeError, RefusedOperationError
from guardian_agent.host.as_root import network, settings, stacks
from guardian_agent.host.operations import (
    AddAddress,
    AddRoute,
    AddRule,
    DeleteAddress,
    DeleteNeighbour,
    DeleteRoute,
    DeleteRule,
    RootOperation,
    SetLink,
    SetLinkMtu,
    SetNeighbour,
    WriteSysctl,
)
from guardian_agent.host.protocols.units import Units
from guardian_agent.host.questions import Question, ReadStacks, RootQuestion

T = TypeVar("T")


class AsRoot:
    """Carries out what needs root, in this process."""

    def __init__(self, units: Units) -> None:
        self._units = units

    async def do(self, operation: RootOperation) -> None:
        """Carries out one operation and returns when it has taken effect. Raises OperationError."""
        if os.geteuid() != 0:
            raise RefusedOperationError(f"{operation.describe()}: needs root, and no executor does it for this agent")
        match operation:
            case WriteSysctl():
                settings.write(operation)
            case SetLink() | SetLinkMtu() | SetNeighbour() | DeleteNeighbour():
                await network.do(operation)
            case AddAddress() | DeleteAddress() | AddRoute() | DeleteRoute() | AddRule() | DeleteRule():
                await network.do(operation)
            case _:
                assert_never(operation)

    async def ask(self, question: Question[T]) -> T:
        """The answer to one question. Raises ProbeError."""
        if os.geteuid() != 0:
            raise ProbeError(f"{question.describe()}: only root can tell, and no executor does for this agent")
        return cast(T, await self._answer(cast(RootQuestion, question)))

    async def _answer(self, question: RootQuestion) -> object:
        match question:
            case ReadStacks():
                return await stacks.read(self._units, question)
            case _:
                assert_never(question)
