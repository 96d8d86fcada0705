"""What needs root, carried out by root: in the executor, or in the agent itself where that runs as root.

A family of operations and questions a file; nothing here asks whether it is allowed, which is the executor's to know.
"""

import os
from typing import TypeVar, assert_never, cast

from guardian_agent.errors import ProbeError, RefusedOperationError
from guardian_agent.host.as_root import (
    artifacts,
    cleanup,
    drop_ins,
    firewall,
    journal,
    network,
    ports,
    releases,
    removable,
    resolver,
    settings,
    stacks,
    vitals,
)
from guardian_agent.host.as_root.limits import UnitLimits
from guardian_agent.host.as_root.secrets import Secrets
from guardian_agent.host.operations import (
    AddAddress,
    AddRoute,
    AddRule,
    CheckSecret,
    CompressFile,
    DecompressFile,
    DeleteAddress,
    DeleteFiles,
    DeleteNeighbour,
    DeleteRoute,
    DeleteRule,
    DestroySockets,
    KillProcess,
    PutBackArtifact,
    PutBackSecret,
    QuarantineArtifact,
    ReloadUnit,
    RemoveDropIn,
    RemoveText,
    RenewSecret,
    ReplaceTables,
    ResetUnitLimit,
    RootOperation,
    SetLink,
    SetLinkMtu,
    SetNeighbour,
    SetUnitLimit,
    StartForeignUnit,
    StopForeignUnit,
    SwitchRelease,
    VacuumJournal,
    WriteDropIn,
    WriteLink,
    WriteSysctl,
    WriteText,
)
from guardian_agent.host.protocols.units import UnitManager
from guardian_agent.host.questions import (
    JudgeCopy,
    ListHeldFiles,
    ListRemovable,
    PortHolders,
    Question,
    ReadJournal,
    ReadKernelMessages,
    ReadRuleset,
    ReadStacks,
    ReadVitals,
    RootQuestion,
)

T = TypeVar("T")


class AsRoot:
    """Carries out what needs root, in this process."""

    def __init__(self, units: UnitManager) -> None:
        self._units = units
        self._secrets = Secrets(units.reload)

    async def keep(self, *, of_others: bool = False) -> None:
        """Nothing is armed here: an agent that is root itself would die with what it armed."""

    async def do(self, operation: RootOperation, undo: RootOperation | None = None) -> None:  # noqa: C901 - a case a family
        """Carries out one operation and returns when it has taken effect. Raises OperationError."""
        if os.geteuid() != 0:
            raise RefusedOperationError(f"{operation.describe()}: needs root, and no executor does it for this agent")
        match operation:
            case WriteSysctl():
                settings.write(operation)
            case ReplaceTables():
                await firewall.replace(operation)
            case StopForeignUnit() | StartForeignUnit() | KillProcess() | DestroySockets():
                await ports.change(self._units, operation)
            case WriteDropIn() | RemoveDropIn():
                await drop_ins.change(self._units, operation)
            case WriteText() | WriteLink() | RemoveText():
                await resolver.change(operation)
            case QuarantineArtifact():
                await artifacts.quarantine(operation)
            case PutBackArtifact():
                await artifacts.put_back(operation)
            case SwitchRelease():
                await releases.switch(operation)
            case DeleteFiles() | CompressFile() | DecompressFile() | VacuumJournal():
                await cleanup.do(operation)
            case SetUnitLimit() | ResetUnitLimit():
                await UnitLimits().do(operation)
            case RenewSecret():
                await self._secrets.renew(operation)
            case PutBackSecret():
                await self._secrets.put_back(operation)
            case CheckSecret():
                await self._secrets.check(operation)
            case ReloadUnit():
                await self._units.reload(operation)
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
            case ReadRuleset():
                return await firewall.read(question)
            case ReadJournal() | ReadKernelMessages():
                return await journal.read(question)
            case PortHolders():
                return await ports.read(question)
            case JudgeCopy():
                return await artifacts.judge(question)
            case ListRemovable():
                return await removable.removable(question)
            case ListHeldFiles():
                return await removable.held_files(question)
            case ReadVitals():
                return await vitals.read(self._units, question)
            case _:
                assert_never(question)
