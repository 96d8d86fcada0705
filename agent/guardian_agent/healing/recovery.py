"""What becomes of an execution without an end: the agent did not live to finish it, or could not?"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.healing.case import Case
from guardian_agent.healing.engine import Engine
from guardian_agent.healing.pager import Pager
from guardian_agent.host import Host
from guardian_agent.host.operations import StopUnit, from_json
from guardian_agent.model import Execution, Mode, Outcome, StepRecord, StepState
from guardian_agent.playbooks.steps import started_by

log = logging.getLogger(__name__)

PATIENCE_S = 300.0  # how long an unknown state is waited for before a human is called
RETRY_S = 1.0
STOPPED_IN_BETWEEN = "the agent stopped in between"
LEFT_AS_IT_IS = "mode is observe: nothing was taken back"


class Recovery:
    """Looks at the machine first: good keeps what was done, bad takes it back, unknown waits. Each is `interrupted`.

    While nothing may be changed on this host, it waits. Nobody can tell of what somebody stopped on purpose: what was
    done is taken back then, and the unit left stopped.
    """

    def __init__(self, host: Host, engine: Engine, pager: Pager, units: Collection[str] = ()) -> None:
        """`units`: those of the components, of which it is known who stopped them."""
        self._host = host
        self._engine = engine
        self._pager = pager
        self._units = frozenset(units)
        self._unfinished: dict[str, list[Execution]] = {}  # by incident, the newest first

    def restore(self, executions: Sequence[Execution], cases: Sequence[Case]) -> list[Execution]:
        """Takes up what the journal holds; answers those that belong to no open incident, the newest first."""
        open_cases = {case.incident.incident_id: case for case in cases}
        for execution in executions:
            if case := open_cases.get(execution.incident_id):
                self.take_up(case, execution)
                case.last_tried = execution.playbook
                case.tries += 1
        return [execution for execution in reversed(executions) if execution.incident_id not in open_cases]

    def take_up(self, case: Case, execution: Execution) -> None:
        """`settle` will end this execution, which is half done; until then the incident stays open."""
        self._unfinished.setdefault(case.incident.incident_id, []).insert(0, execution)
        case.acting = True

    async def settle(self, case: Case, stuck: Callable[[Execution], None]) -> list[Execution]:
        """Ends what the case has of unfinished executions, the newest first, and answers them; `stuck` hears of those
        that could not be undone."""
        unfinished = self._unfinished.get(case.incident.incident_id, [])
        ended = []
        while unfinished:
            await self._settle(case, unfinished[0], stuck)
            ended.append(unfinished.pop(0))
        self._unfinished.pop(case.incident.incident_id, None)
        if ended:
            case.acted()
        return ended

    async def close_orphan(self, execution: Execution, stuck: Callable[[Execution], None]) -> None:
        """Ends an execution that belongs to no open incident, as when its component was renamed: it is taken back.

        Nothing is left to look with. So where all that there is to take back is that a unit was started, that stays:
        one that runs does less harm than one that does not.
        """
        why = f"{execution.reason or STOPPED_IN_BETWEEN}, and its incident is no longer there"
        undos = [step.undo for step in execution.steps if step.undo is not None and _was_begun(step)]
        if undos and self._engine.mode == Mode.OBSERVE:
            self._pager.page(execution, "denied", f"{execution.playbook}: {why}; {LEFT_AS_IT_IS}")
            await self._keep(execution, f"{why}; {LEFT_AS_IT_IS}")
            return
        if all(map(_unit_stopped_by, undos)):
            left = "; what was started is left running" if undos else ""
            await self._keep(execution, f"{why}{left}")
            return
        found_stopped = await self._found_stopped(execution)
        while execution.outcome is None:
            if halted := self._engine.halted():
                self._pager.page(execution, "denied", f"{execution.playbook}: {why}; {halted}")
                await asyncio.sleep(RETRY_S)
            else:
                await self._engine.take_back(execution, why, stuck, stopped=lambda unit: found_stopped.get(unit, ""))

    async def _settle(self, case: Case, execution: Execution, stuck: Callable[[Execution], None]) -> None:
        why = execution.reason or STOPPED_IN_BETWEEN
        while execution.outcome is None:
            kept = LEFT_AS_IT_IS if self._engine.mode == Mode.OBSERVE else await self._kept(case)
            if kept:
                await self._keep(execution, f"{why}; {kept}")
            else:
                reason = f"{why}; {self._engine.held(case) or 'the fault is still there'}"
                await self._engine.take_back(execution, reason, stuck, case=case)

    async def _keep(self, execution: Execution, reason: str) -> None:
        await self._engine.keep(execution)
        await self._engine.finish(execution, Outcome.INTERRUPTED, reason)

    async def _kept(self, case: Case) -> str:
        """Why what was done is kept; empty when it is to be taken back. Waits while neither is known, and while nothing
        may be changed."""
        owner = case.incident.owner_probe
        deadline_s = asyncio.get_running_loop().time() + PATIENCE_S
        good = 0
        while good < case.rise(owner):
            look = await case.look(owner)
            good = good + 1 if look.ok else 0
            if look.ok:
                continue
            halted = self._engine.halted()
            if not halted and (look.ok is False or self._engine.held(case)):
                return ""
            if halted:
                self._pager.page(case.incident, "denied", halted)
            elif asyncio.get_running_loop().time() >= deadline_s:
                self._pager.page(case.incident, "inconclusive", f"{owner} cannot tell: {look.unknown}")
            await asyncio.sleep(RETRY_S)
        return "all is good: what was done is kept"

    async def _found_stopped(self, execution: Execution) -> dict[str, str]:
        """The units of no component that undoing would start, and that are down without the execution having stopped
        them: somebody did, and nobody saw it. Each with what is to be said of it."""
        started = {started_by(step.undo) for step in execution.steps if step.undo is not None}
        found = {}
        for unit in started - {""} - self._units - units_stopped([execution]):
            try:
                state = await self._host.units.state(unit)
            except ProbeError as error:
                log.warning("%s cannot be read: %s", unit, error)
                continue
            if state.load_state == "masked" or (state.active_state == "inactive" and not state.job_id):
                found[unit] = f"{unit} was found {state.load_state} and {state.active_state}"
        return found


def units_stopped(executions: Sequence[Execution]) -> set[str]:
    """The units that these executions stopped, or may have: nobody else did."""
    steps = [step for execution in executions for step in execution.steps if _was_begun(step)]
    return {unit for step in steps if (unit := _unit_stopped_by(step.operation))}


def _was_begun(step: StepRecord) -> bool:
    return step.state not in (StepState.PLANNED, StepState.UNDONE)


def _unit_stopped_by(operation: dict[str, object]) -> str:
    try:
        known = from_json(operation)
    except msgspec.ValidationError:  # another version's
        return ""
    return known.unit if isinstance(known, StopUnit) else ""
