"""How is it taken back what an execution did, and when may it be?"""

import contextlib
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from guardian_agent.errors import TakenBackError
from guardian_agent.healing.case import Case
from guardian_agent.healing.executions import Executions
from guardian_agent.host import Host
from guardian_agent.host.operations import from_json
from guardian_agent.model import Execution, Outcome, StepState
from guardian_agent.playbooks.steps import PostponedError, Restraint, StuckError, undo_steps

log = logging.getLogger(__name__)

STEP_LIMIT_S = 3700.0  # a backstop: every operation has a limit of its own
REPLACEMENT = "replacement"  # where the component listens by this execution, among its evidence


class Undoing:
    """Takes executions back, those of this run of the agent and those that an earlier one left half done."""

    def __init__(self, host: Host, executions: Executions, restraint: Restraint) -> None:
        self._host = host
        self._executions = executions
        self._restraint = restraint

    async def undo(
        self,
        execution: Execution,
        outcome: Outcome,
        reason: str,
        stuck: Callable[[Execution], None],
        *,
        case: Case | None = None,
        stopped: Callable[[str], str] | None = None,
    ) -> Execution:
        """Takes it back and ends it with `outcome`, or as stuck. It is left without one where nothing may be changed
        now: it is to be taken back later. `stopped` tells of more units that were stopped on purpose."""
        restraint = self._restraint
        if stopped is not None:
            restraint = restraint._replace(stopped=lambda unit: stopped(unit) or self._restraint.stopped(unit))
        journal = self._executions.journal(execution)
        try:
            left_out = await undo_steps(execution.steps, self._host, journal, STEP_LIMIT_S, restraint)
        except PostponedError as error:
            return await self.leave_open(execution, f"{reason}; {error}")
        except StuckError as error:
            outcome, reason = Outcome.STUCK, f"{reason}; and undoing failed: {error}"
            execution.reason = reason
            stuck(execution)
        else:
            if left_out:
                reason = f"{reason}; not undone: {'; '.join(left_out)}"
            if case is not None and REPLACEMENT in execution.evidence:
                case.move(None)
        with contextlib.suppress(TakenBackError):  # as it is to be
            await self._host.keep()
        return await self._executions.finish(execution, outcome, reason)

    async def leave_open(self, execution: Execution, reason: str) -> Execution:
        """Leaves it half done for now. What could cut the host off is not left so: whoever has it armed takes it back
        soon, since a host that nobody reaches cannot be told that it may go on."""
        await self._host.let_go()
        return await self._executions.leave_open(execution, reason)

    async def keep(self, execution: Execution) -> None:
        """What an agent that died had changed by this execution stays as it is now: nothing takes it back any more."""
        made = [step.operation for step in execution.steps if step.state != StepState.PLANNED]
        if any(map(_may_cut_off, made)):
            await self._host.keep(of_others=True)


def _may_cut_off(operation: dict[str, Any]) -> bool:
    try:
        return from_json(operation).may_cut_off
    except msgspec.ValidationError:  # another version's
        return True
