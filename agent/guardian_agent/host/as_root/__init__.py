"""What needs root, carried out by root: in the executor, or in the agent itself where that runs as root.

A family of operations and questions a file; nothing here asks whether it is allowed, which is the executor's to know.
"""

import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar, assert_never, cast

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
    stacks,
    vitals,
)
from guardian_agent.host.as_root.limits import UnitLimits
from guardian_agent.host.as_root.secrets import Secrets
from guardian_agent.host.as_root.settings import Settings
from guardian_agent.host.operations import (
    ArtifactOperation,
    CleanupOperation,
    DropInOperation,
    FirewallOperation,
    LimitOperation,
    NetworkOperation,
    PortOperation,
    ReleaseOperation,
    ResolverOperation,
    RootOperation,
    SecretOperation,
    SettingOperation,
    kinds_of,
)
from guardian_agent.host.protocols.units import UnitManager
from guardian_agent.host.questions import (
    JudgeCopy,
    ListCleaned,
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
        families: tuple[tuple[Any, Callable[[Any], Awaitable[None]]], ...] = (
            (ArtifactOperation, artifacts.do),
            (CleanupOperation, cleanup.do),
            (DropInOperation, partial(drop_ins.change, units)),
            (FirewallOperation, firewall.replace),
            (LimitOperation, UnitLimits().do),
            (NetworkOperation, network.do),
            (PortOperation, partial(ports.change, units)),
            (ReleaseOperation, releases.switch),
            (ResolverOperation, resolver.change),
            (SecretOperation, Secrets(units.reload).do),
            (SettingOperation, Settings().change),
        )
        self.hands = {kind: hand for family, hand in families for kind in kinds_of(family)}

    async def keep(self, *, of_others: bool = False) -> None:
        """Nothing is armed here: an agent that is root itself would die with what it armed."""

    async def do(self, operation: RootOperation, undo: RootOperation | None = None) -> None:
        """Carries out one operation and returns when it has taken effect. Raises OperationError."""
        if os.geteuid() != 0:
            raise RefusedOperationError(f"{operation.describe()}: needs root, and no executor does it for this agent")
        await self.hands[type(operation)](operation)

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
            case ListCleaned():
                return await removable.deleted(question)
            case ReadVitals():
                return await vitals.read(self._units, question)
            case _:
                assert_never(question)
