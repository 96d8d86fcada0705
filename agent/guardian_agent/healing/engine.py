"""One execution: planned, carried out step by step, verified by looking again, and taken back when the fault is still
there."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from guardian_agent.errors import CannotPlanError, GuardianError, ProbeError, StateError, TakenBackError
from guardian_agent.healing.brakes import Brakes
from guardian_agent.host import Host
from guardian_agent.host.operations import from_json
from guardian_agent.model import (
    Component,
    Endpoint,
    Execution,
    Fact,
    Incident,
    Mode,
    Outcome,
    StepRecord,
    StepState,
    uuid7,
)
from guardian_agent.playbooks import Playbook
from guardian_agent.playbooks.base import Looker, Plan, Situation, StepFailedError, StuckError

log = logging.getLogger(__name__)

PLAN_LIMIT_S = 20.0
EVIDENCE_LIMIT_S = 5.0  # an outcome waits for it
STEP_LIMIT_S = 3700.0  # a backstop: every operation has a limit of its own
REPLACEMENT = "replacement"  # where the component listens by this execution, among its evidence
FRESH_S = 0.5  # a bad look that is no older, or no older than it took, is not repeated before acting


class Case(Looker, Protocol):
    """What healing needs of an open incident."""

    incident: Incident
    component: Component | None
    closed: asyncio.Event
    outranked: asyncio.Event  # something nearer to a cause fails: it is to be decided anew
    exhausted_as: set[str]  # the issue types for which a human was called
    acting: bool  # a remedy is in flight: the incident stays open
    healed_by: str
    last_tried: str
    tries: int

    def acted(self) -> None: ...
    def streak_s(self, probe_id: str) -> float: ...
    def move(self, to: Endpoint | None) -> None: ...
    def coming_up(self) -> bool: ...
    def on_probation(self) -> bool: ...
    def good_probes(self) -> set[str]: ...
    def proven_probes(self) -> set[str]: ...
    async def wait_closed(self, timeout_s: float) -> bool: ...
    async def wait_news(self, timeout_s: float | None = None) -> None: ...


class NotNowError(GuardianError):
    """It is not the moment to act: systemd is at work, or nobody can tell whether the fault is still there."""


class Submit(Protocol):
    """Queues facts for the state's database, in order; the future resolves when they are durable."""

    def __call__(self, *facts: Fact) -> Awaitable[None]: ...


class ExecutionJournal:
    """Makes an execution durable as its steps go on."""

    def __init__(self, submit: Submit, execution: Execution) -> None:
        self._submit = submit
        self._execution = execution

    async def durably(self, step: StepRecord) -> None:
        await self._submit(self._execution)

    def soon(self, step: StepRecord) -> None:
        self._submit(self._execution)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One playbook about to be tried for one case."""

    case: Case
    playbook: Playbook
    rung: int
    situation: Situation
    time_limit_s: float
    busy: Callable[[], Awaitable[bool]]  # whether systemd itself is at work on it
    began: Callable[[], None]  # called just before the first change
    stuck: Callable[[Execution], None]  # called before that end is stored, so that nobody misses it


class Engine:
    """Runs one playbook for one case at a time, and always ends with a named outcome."""

    def __init__(self, host: Host, mode: Mode, brakes: Brakes, submit: Submit, is_held: Callable[[str], str]) -> None:
        self._host = host
        self.mode = mode
        self._brakes = brakes
        self._submit = submit
        self._is_held = is_held

    def held(self, case: Case) -> str:
        """Why the case's component is held; empty when it is not."""
        return self._is_held(case.incident.target)

    def brake(self, case: Case) -> str:
        """Why nothing may be done for this case now; empty when something may. It can be over in a moment."""
        return self.held(case) or self._brakes.refusal(self._host.clock.now())

    @property
    def stopping(self) -> bool:
        """Whether the agent is on its way out, and begins nothing more."""
        return self._brakes.draining

    def halted(self) -> str:
        """Why nothing at all may be changed on this host, not even back; empty when it may."""
        return self._brakes.halted()

    async def run(self, attempt: Attempt, refusal: str) -> Execution:
        """One execution, from plan to outcome.

        With a `refusal` (from governance) it is planned, and ends `denied` with that reason.

        Raises:
            CannotPlanError: the playbook is no remedy here. Nothing was recorded.
            NotNowError: it may be one in a moment. Nothing was recorded.
        """
        if self.mode == Mode.OBSERVE:
            execution, _ = await self._planned(attempt)
            return await self.finish(execution, Outcome.DRY_RUN, "mode is observe: this is what would be done")
        if refusal:
            execution, _ = await self._planned(attempt)
            return await self.finish(execution, Outcome.DENIED, refusal)
        async with self._brakes.one_at_a_time:
            if self._brakes.draining:
                raise NotNowError("the agent is stopping")
            execution, plan = await self._planned(attempt)  # in here, since the machine changed while others acted
            if good := await self._good_meanwhile(attempt.case):
                return await self.finish(execution, Outcome.SUPERSEDED, good)
            if refused := self.brake(attempt.case):
                return await self.finish(execution, Outcome.DENIED, refused)
            attempt.case.acting = True  # and stays so when we are cancelled: Recovery has the last word then
            try:
                execution = await self._act(attempt, execution, plan)
            except Exception as error:
                with contextlib.suppress(TakenBackError):
                    await self._host.keep()
                await self.finish(execution, Outcome.INTERRUPTED, f"it went wrong: {type(error).__name__}: {error}")
                attempt.case.acted()
                raise
            attempt.case.acted()
            return execution

    async def observe(self, playbook: Playbook, situation: Situation) -> Execution:
        """Runs a playbook of tier 0: its findings are recorded, and nothing is claimed to be healed."""
        execution = self._execution(playbook, situation.incident, rung=0)
        try:
            async with asyncio.timeout(playbook.observes_within_s):
                plan = await playbook.plan(situation, self._host)
        except (CannotPlanError, ProbeError, TimeoutError) as error:
            return await self.finish(execution, Outcome.COMPLETED, f"nothing found: {str(error) or 'it took too long'}")
        execution.evidence = plan.findings
        return await self.finish(execution, Outcome.COMPLETED, str(plan.findings.get("sentence", "")))

    async def recover(
        self, case: Case, playbook: Playbook, execution: Execution, stuck: Callable[[Execution], None]
    ) -> None:
        """Undoes what an interrupted execution had done, as this host's one action, and ends it."""
        async with self._brakes.one_at_a_time:
            if kept := self._is_held(execution.target) or self._brakes.halted():  # since it was decided
                await self.finish(execution, Outcome.INTERRUPTED, f"the agent stopped in between; {kept}")
                return
            reason = "the agent stopped in between; the fault is still there"
            await self._undo(case, playbook, execution, Outcome.INTERRUPTED, reason, stuck)
            await self.keep(execution)

    async def keep(self, execution: Execution) -> None:
        """What an agent that died had changed by this execution stays as it is now: nothing takes it back any more."""
        made = [step.operation for step in execution.steps if step.state != StepState.PLANNED]
        if any(map(_may_cut_off, made)):
            await self._host.keep(of_others=True)

    async def _planned(self, attempt: Attempt) -> tuple[Execution, Plan]:
        # At once, since each question costs a round trip to systemd, and a client waits.
        plan, busy = await asyncio.gather(self._plan(attempt), attempt.busy())
        if busy:
            raise NotNowError("systemd is at work on it")
        execution = self._execution(attempt.playbook, attempt.case.incident, attempt.rung)
        execution.steps = [step.as_record() for step in plan.steps]
        execution.evidence = plan.findings
        if plan.replacement is not None:
            execution.evidence = {**plan.findings, REPLACEMENT: str(plan.replacement)}
        return execution, plan

    async def _plan(self, attempt: Attempt) -> Plan:
        try:
            async with asyncio.timeout(PLAN_LIMIT_S):
                return await attempt.playbook.plan(attempt.situation, self._host)
        except ProbeError as error:
            raise CannotPlanError(str(error)) from error
        except TimeoutError as error:
            raise CannotPlanError(f"planning took longer than {PLAN_LIMIT_S:g} s") from error

    def _execution(self, playbook: Playbook, incident: Incident, rung: int) -> Execution:
        now = self._host.clock.now()
        return Execution(
            execution_id=uuid7(now.wall_ns),
            incident_id=incident.incident_id,
            playbook=playbook.playbook_id(),
            target=incident.target,
            issue_type=incident.issue_type,
            started_at=now,
            rung=rung,
        )

    async def _good_meanwhile(self, case: Case) -> str:
        """Why there is nothing left to mend; empty when the fault is still there. Raises NotNowError."""
        if case.closed.is_set():
            return "the incident was over before anything was done"
        owner = case.incident.owner_probe
        last = case.looks().get(owner)
        age_s = self._host.clock.now().seconds_since(last.at) - last.took_s if last else FRESH_S
        if last is None or last.ok is not False or age_s >= max(FRESH_S, last.took_s):
            last = await case.look(owner)
        if last.ok is None:
            raise NotNowError(f"{owner} cannot tell: {last.unknown}")
        return f"{owner} was good again before anything was done" if last.ok else ""

    async def _act(self, attempt: Attempt, execution: Execution, plan: Plan) -> Execution:
        case, playbook = attempt.case, attempt.playbook
        must_be_good = case.good_probes() | (set(plan.postconditions) & case.proven_probes())
        self._begin(attempt, execution)
        try:
            journal = ExecutionJournal(self._submit, execution)
            await playbook.execute(
                execution.steps, self._host, journal, STEP_LIMIT_S, lambda: self.held(case) or self.halted()
            )
            case.incident.action_finished_at = self._host.clock.now()
            if plan.replacement is not None:
                case.move(plan.replacement)
            verdict = await playbook.verify(attempt.situation, must_be_good, attempt.time_limit_s)
            if verdict.good is not False:
                await self._host.keep()
        except (StepFailedError, TakenBackError) as error:
            case.incident.action_finished_at = self._host.clock.now()
            return await self._undo(case, playbook, execution, Outcome.ROLLED_BACK, str(error), attempt.stuck)
        await self._read_after(attempt, execution)
        if verdict.good is None:
            return await self.finish(execution, Outcome.INCONCLUSIVE, verdict.reason)
        if verdict.good is False:
            return await self._undo(case, playbook, execution, Outcome.INEFFECTIVE, verdict.reason, attempt.stuck)
        execution.verified_at = verdict.verified_at
        case.healed_by = execution.playbook
        return await self.finish(execution, Outcome.HEALED, verdict.reason)

    async def _read_after(self, attempt: Attempt, execution: Execution) -> None:
        with contextlib.suppress(CannotPlanError, ProbeError, TimeoutError):
            async with asyncio.timeout(EVIDENCE_LIMIT_S):
                after = await attempt.playbook.evidence_after(attempt.situation, self._host)
                execution.evidence = {**execution.evidence, **after}

    def _begin(self, attempt: Attempt, execution: Execution) -> None:
        case = attempt.case
        now = self._host.clock.now()
        case.incident.action_started_at = case.incident.action_started_at or now
        case.last_tried = execution.playbook
        case.tries += 1
        case.healed_by = ""  # what was healed before has not brought the incident to its end
        self._brakes.count(now)
        attempt.began()
        self._submit(case.incident)
        typed = "; ".join(step.describe for step in execution.steps)
        log.warning("%s: %s begins: %s", case.incident.target, execution.playbook, typed)

    async def _undo(
        self,
        case: Case,
        playbook: Playbook,
        execution: Execution,
        outcome: Outcome,
        reason: str,
        stuck: Callable[[Execution], None],
    ) -> Execution:
        journal = ExecutionJournal(self._submit, execution)
        try:
            await playbook.rollback(execution.steps, self._host, journal, STEP_LIMIT_S)
        except StuckError as error:
            outcome, reason = Outcome.STUCK, f"{reason}; and undoing failed: {error}"
            execution.reason = reason
            stuck(execution)
        else:
            if REPLACEMENT in execution.evidence:
                case.move(None)
        with contextlib.suppress(TakenBackError):  # as it is to be
            await self._host.keep()
        return await self.finish(execution, outcome, reason)

    async def finish(self, execution: Execution, outcome: Outcome, reason: str) -> Execution:
        """Ends an execution: durably, or with a line in the log where nothing can be stored."""
        execution.outcome, execution.reason, execution.finished_at = outcome, reason, self._host.clock.now()
        level = logging.INFO if outcome in (Outcome.COMPLETED, Outcome.DRY_RUN, Outcome.HEALED) else logging.WARNING
        log.log(level, "%s: %s: %s (%s)", execution.target, execution.playbook, outcome, reason)
        try:
            await self._submit(execution)
        except StateError as error:
            log.error("%s: how it ended could not be stored: %s", execution.playbook, error)
        return execution


def _may_cut_off(operation: dict[str, Any]) -> bool:
    try:
        return from_json(operation).may_cut_off
    except msgspec.ValidationError:  # another version's
        return True
