"""One execution: planned, carried out step by step, verified by looking again, and taken back when the fault is still
there."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from guardian_agent.errors import CannotPlanError, GuardianError, ProbeError, TakenBackError
from guardian_agent.healing.brakes import Brakes
from guardian_agent.healing.case import Case
from guardian_agent.healing.executions import Executions, Submit
from guardian_agent.healing.planning import BrokenPlanError, plan_of
from guardian_agent.healing.undoing import REPLACEMENT, STEP_LIMIT_S, Undoing
from guardian_agent.host import Host
from guardian_agent.model import Execution, Mode, Outcome
from guardian_agent.plain import plain
from guardian_agent.playbooks import Playbook
from guardian_agent.playbooks.base import Plan, Situation
from guardian_agent.playbooks.steps import Restraint, StepFailedError

log = logging.getLogger(__name__)

PLAN_LIMIT_S = 20.0
EVIDENCE_LIMIT_S = 5.0  # an outcome waits for it
FRESH_S = 0.5  # a bad look that is no older, or no older than it took, is not repeated before acting


class NotNowError(GuardianError):
    """It is not the moment to act: systemd is at work, something else is why, or nobody can tell whether the fault is
    still there."""


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
    """Runs one playbook for one case at a time. It ends with a named outcome, or is left to `Recovery` without one."""

    def __init__(
        self,
        host: Host,
        mode: Mode,
        brakes: Brakes,
        submit: Submit,
        is_held: Callable[[str], str],
        is_stopped: Callable[[str], str] = lambda _: "",
    ) -> None:
        """`is_held` and `is_stopped`: why a component is to be left alone, and why a unit is not to be started; empty
        when it may be."""
        self._host = host
        self.mode = mode
        self._brakes = brakes
        self._submit = submit
        self._is_held = is_held
        self._is_stopped = is_stopped
        self._executions = Executions(host, submit)
        self.finish = self._executions.finish
        self._undoing = Undoing(host, self._executions, Restraint(brakes.halted, is_stopped))
        self.keep = self._undoing.keep

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
        """One execution, from plan to outcome. Without one it is half done, and `Recovery` has the last word: nothing
        may be changed now, or something went wrong that nobody foresaw.

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
            self._check_its_own(attempt.case)
            if refused := self.brake(attempt.case):
                return await self.finish(execution, Outcome.DENIED, refused)
            attempt.case.acting = True  # and stays so when we are cancelled: Recovery has the last word then
            await self._act(attempt, execution, plan)
            if execution.outcome is not None:
                attempt.case.acted()
            return execution

    async def observe(self, playbook: Playbook, situation: Situation) -> Execution:
        """Runs a playbook of tier 0: its findings are recorded, and nothing is claimed to be healed."""
        execution = self._executions.new(playbook, situation.incident)
        try:
            planned = await plan_of(playbook, situation, self._host, playbook.observes_within_s)
        except BrokenPlanError as error:
            return await self.finish(execution, Outcome.INTERRUPTED, str(error))
        except CannotPlanError as error:
            return await self.finish(execution, Outcome.COMPLETED, f"nothing found: {error}")
        execution.evidence = planned.findings
        return await self.finish(execution, Outcome.COMPLETED, str(planned.findings.get("sentence", "")))

    async def record_broken(self, attempt: Attempt, error: BrokenPlanError) -> None:
        """Puts on record that a playbook could not even be planned, for a bug of its own."""
        execution = self._executions.new(attempt.playbook, attempt.case.incident, attempt.rung)
        await self.finish(execution, Outcome.INTERRUPTED, str(error))

    async def take_back(
        self,
        execution: Execution,
        reason: str,
        stuck: Callable[[Execution], None],
        *,
        case: Case | None = None,
        stopped: Callable[[str], str] | None = None,
    ) -> Execution:
        """Undoes what an execution without an outcome had done, as this host's one action, and ends it; it still has
        none where nothing may be changed. `stopped`: why a unit beside those of the components is not to be started."""
        async with self._brakes.one_at_a_time:
            await self._undoing.undo(execution, Outcome.INTERRUPTED, reason, stuck, case=case, stopped=stopped)
            if execution.outcome is not None:
                await self.keep(execution)
            return execution

    async def _planned(self, attempt: Attempt) -> tuple[Execution, Plan]:
        # At once, since each question costs a round trip to systemd, and a client waits.
        planning = plan_of(attempt.playbook, attempt.situation, self._host, PLAN_LIMIT_S)
        planned, busy = await asyncio.gather(planning, attempt.busy())
        if busy:
            raise NotNowError("systemd is at work on it")
        execution = self._executions.new(attempt.playbook, attempt.case.incident, attempt.rung)
        execution.steps = planned.steps
        execution.evidence = planned.findings
        if planned.plan.replacement is not None:
            execution.evidence[REPLACEMENT] = str(planned.plan.replacement)
        return execution, planned.plan

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

    def _check_its_own(self, case: Case) -> None:
        """Raises NotNowError when something else accounts for the fault by now, which it is to be decided anew by."""
        if why := case.not_its_own():
            case.outranked.set()
            raise NotNowError(why)

    async def _act(self, attempt: Attempt, execution: Execution, plan: Plan) -> None:
        try:
            await self._act_and_judge(attempt, execution, plan)
        except Exception as error:
            log.exception("%s: %s went wrong", execution.target, execution.playbook)
            if execution.outcome is None:
                await self._undoing.leave_open(execution, f"it went wrong: {type(error).__name__}: {error}")

    async def _act_and_judge(self, attempt: Attempt, execution: Execution, plan: Plan) -> None:
        case, playbook, undo = attempt.case, attempt.playbook, self._undoing.undo
        must_be_good = case.good_probes() | (set(plan.postconditions) & case.proven_probes())
        self._begin(attempt, execution)
        try:
            await playbook.execute(
                execution.steps,
                self._host,
                self._executions.journal(execution),
                STEP_LIMIT_S,
                lambda unit: self.held(case) or self.halted() or (self._is_stopped(unit) if unit else ""),
            )
            case.incident.action_finished_at = self._host.clock.now()
            if plan.replacement is not None:
                case.move(plan.replacement)
            verdict = await playbook.verify(attempt.situation, must_be_good, attempt.time_limit_s)
            if verdict.good is not False:
                await self._host.keep()
        except (StepFailedError, TakenBackError) as error:
            case.incident.action_finished_at = self._host.clock.now()
            await undo(execution, Outcome.ROLLED_BACK, str(error), attempt.stuck, case=case)
            return
        await self._read_after(attempt, execution)
        if verdict.good is None:
            await self.finish(execution, Outcome.INCONCLUSIVE, verdict.reason)
        elif verdict.good:
            execution.verified_at = verdict.verified_at
            case.healed_by = execution.playbook
            await self.finish(execution, Outcome.HEALED, verdict.reason)
        else:
            await undo(execution, Outcome.INEFFECTIVE, verdict.reason, attempt.stuck, case=case)

    async def _read_after(self, attempt: Attempt, execution: Execution) -> None:
        """Whatever comes of it, the verdict stands."""
        try:
            async with asyncio.timeout(EVIDENCE_LIMIT_S):
                after = plain(await attempt.playbook.evidence_after(attempt.situation, self._host))
            execution.evidence = {**execution.evidence, **after}
        except (CannotPlanError, ProbeError, TimeoutError) as error:
            log.info("%s: nothing is known of afterwards: %s", execution.playbook, error or "it took too long")
        except Exception:
            log.exception("%s: what is read afterwards could not be", execution.playbook)

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
