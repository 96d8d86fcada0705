"""What needs root, carried out by root: in the executor, or in the agent itself where that runs as root.

A family of operations and questions a file; nothing here asks whether it is allowed, which is the executor's to know.
"""

import os
from typing import TypeVar, assert_never, cast

from guardian_agent.errors import ProbeError, RefusedOperationError
from guardian_agent.host.as_root import drop_ins, firewall, ports, settings, stacks
from guardian_agent.host.operations import (
    DestroySockets,
    KillProcess,
    RemoveDropIn,
    ReplaceTables,
    RootOperation,
    StartForeignUnit,
    StopForeignUnit,
    WriteDropIn,
    WriteSysctl,
)
from guardian_agent.host.protocols.units import UnitManager
from guardian_agent.host.questions import PortHolders, Question, ReadRuleset, ReadStacks, RootQuestion

T = TypeVar("T")


class AsRoot:
    """Carries out what needs root, in this process."""

    def __init__(self, units: UnitManager) -> None:
        self._units = units

    async def do(self, operation: RootOperation) -> None:
        """Carries out one operation and returns when it has taken effect. Raises OperationError."""
        if os.geteuid() != 0:
            raise RefusedOperationError(f"{operation.describe()}: needs root, and no executor does it for this agent")
        match operation:
            case WriteSysctl():
                settings.write(operation)
            case ReplaceTables():
                await firewall.replace(operation)
            case StopForeignUnit():
                await ports.stop_unit(self._units, operation)
            case StartForeignUnit():
                await ports.start_unit(self._units, operation)
            case KillProcess():
                await ports.kill(operation)
            case DestroySockets():
                await ports.destroy_sockets(operation)
            case WriteDropIn():
                await drop_ins.write(self._units, operation)
            case RemoveDropIn():
                await drop_ins.remove(self._units, operation)
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
            case ReadRuleset():
                return await firewall.read(question)
            case PortHolders():
                return await ports.read(question)
            case _:
                assert_never(question)
