"""The way up a ladder: which playbook is tried next for a case, when, and what comes after the last one?"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from guardian_agent.errors import CannotPlanError
from guardian_agent.healing.case import Case
from guardian_agent.healing.engine import Attempt, Engine, NotNowError
from guardian_agent.healing.gate import Gate
from guardian_agent.healing.ladders import LadderMemory
from guardian_agent.healing.observing import Observing
from guardian_agent.healing.pager import Pager
from guardian_agent.healing.planning import BrokenPlanError
from guardian_agent.healing.recovery import Recovery
from guardian_agent.host import Host
from guardian_agent.model import Component, Execution, Fact, Outcome, StepRecord
from guardian_agent.playbooks import Playbook
from guardian_agent.playbooks.base import Beside, Situation
from guardian_agent.probes.base import is_host_target

log = logging.getLogger(__name__)

COMING_UP_POLL_S = 0.2
POLL_S = 1.0  # how often a brake that holds is looked at again
SETTLE_S = 20.0  # for an incident that is about no component
LONGEST_STREAK_S = 60.0  # a probe that needs longer to be good again is not waited for
LAST_RESORT_COOLDOWN_S = 60.0  # before an exhausted ladder is begun anew
OURS = ("firewall_block",)  # what keeps this host from reaching another, and is this host's own doing

CAME_TO_NOTHING = (Outcome.STUCK, Outcome.INCONCLUSIVE)


class Healer:
    """Takes an open incident up its ladder, one rung after the other, until it is over or a human is called."""

    def __init__(
        self,
        host: Host,
        *,
        engine: Engine,
        gate: Gate,
        memory: LadderMemory,
        pager: Pager,
        recovery: Recovery,
        ladders: Mapping[str, Sequence[str]],
        playbooks: Mapping[str, Playbook],
        components: tuple[Component, ...],
        record: Callable[[Fact], object],
        spawn: Callable[[str, Coroutine[Any, Any, object]], object],
    ) -> None:
        self._host = host
        self._engine = engine
        self._gate = gate
        self._memory = memory
        self._pager = pager
        self._recovery = recovery
        self._ladders = ladders
        self._playbooks = playbooks
        self._components = components
        self._record = record
        self._observing = Observing(engine, gate, playbooks, self._situation, spawn)
        self._denied: dict[str, set[str]] = {}  # by incident: what it was denied for already

    async def heal(self, case: Case) -> None:
        """One pass up the ladder from where the component stands; returns when nothing more can be done for now."""
        try:
            await self._heal(case)
        except Exception as error:
            log.exception("%s: healing it went wrong", case.incident.target)
            self._pager.page(case.incident, "broken", f"healing it went wrong: {type(error).__name__}: {error}")
            await case.wait_closed(LAST_RESORT_COOLDOWN_S)

    async def _heal(self, case: Case) -> None:
        interrupted = await self._settle(case)
        if case.closed.is_set() or (interrupted and (await case.look(case.incident.owner_probe)).ok):
            return
        if case.component is None and not is_host_target(case.incident.target) and case.incident.issue_type not in OURS:
            self._exhaust(case, "dependency_failed", f"{case.incident.target} does not answer")
            await case.closed.wait()
            return
        await self._climb(case, self._ladders.get(case.incident.issue_type, ()))

    async def _settle(self, case: Case) -> list[Execution]:
        """Ends what was left half done for the case, and answers it."""
        ended = await self._recovery.settle(case, partial(self._stuck, case))
        for execution in ended:
            self._after(case, execution)
        return ended

    async def close_orphan(self, execution: Execution) -> None:
        """Ends what was left half done for what is no longer watched."""

        def stuck(execution: Execution) -> None:
            self._pager.page(execution, "stuck", self._gate.disable(execution))

        await self._recovery.close_orphan(execution, stuck)

    async def _climb(self, case: Case, ladder: Sequence[str]) -> None:
        start = min(self._memory.resumed(case.incident, self._host.clock.now()).rung, max(len(ladder) - 1, 0))
        if ladder:
            await self._cool_down(case, ladder[start])
            if case.on_probation() or case.outranked.is_set():  # good meanwhile, or to be decided anew
                return
        for rung in range(start, len(ladder)):
            execution = await self._try_rung(case, self._playbooks[ladder[rung]], rung)
            if await self._ends_the_pass(case, execution):
                return
            if rung + 1 < len(ladder):
                self._memory.on_rung(case.incident, rung + 1, self._host.clock.now())
            if case.outranked.is_set():
                return
        await self._call_a_human(case, ladder)

    async def _ends_the_pass(self, case: Case, execution: Execution | None) -> bool:
        """Whether nothing more is to be tried for now, after a rung; waits where that needs time."""
        if case.closed.is_set() or case.on_probation():
            return True
        match execution.outcome if execution else None:
            case None:  # it was not tried
                return case.outranked.is_set()
            case Outcome.HEALED | Outcome.SUPERSEDED:
                return True
            case Outcome.DRY_RUN:
                await case.wait_news()
                return True
            case Outcome.INCONCLUSIVE:  # nothing is undone, and the next rung waits
                await self._wait_to_see(case)
                return True
            case Outcome.INTERRUPTED:  # what was done may have been kept, or somebody has mended it
                return bool((await case.look(case.incident.owner_probe)).ok)
        return False

    def closed(self, case: Case) -> None:
        """The incident is over: from here on health counts, and what was said about it is forgotten."""
        self._memory.closed(case.incident, self._host.clock.now())
        self._pager.forget(case.incident)
        self._denied.pop(case.incident.incident_id, None)
        self._observing.forget(case)

    async def _try_rung(self, case: Case, playbook: Playbook, rung: int) -> Execution | None:
        """Runs one playbook as soon as it may; None when it is no remedy here, or was refused before."""
        patient = True  # systemd is waited for, as long as it has not had the grace
        while not (case.closed.is_set() or case.on_probation() or case.outranked.is_set()):
            if case.coming_up():  # somebody, or systemd, has just started it
                await case.wait_closed(COMING_UP_POLL_S)
                continue
            await self._gate.learn_names()
            attempt = self._attempt(case, playbook, rung, patient=patient)
            refusal = self._gate.refusal(case, playbook, self._memory.of(case.incident, self._host.clock.now()))
            if refusal and self._denied_before(case, f"{playbook.playbook_id()}: {refusal}"):
                return None
            if not refusal and self._denied_before(case, self._engine.brake(case)):
                await case.wait_closed(POLL_S)
                continue
            try:
                execution = await self._run(attempt, refusal)
            except NotNowError as error:
                log.info("%s: %s waits: %s", case.incident.target, playbook.playbook_id(), error)
                if self._engine.stopping:
                    await case.closed.wait()  # until we are cancelled
                patient = await self._gate.systemd_first(case)
                await self._wait_to_see(case)
                continue
            if execution is None:
                return None
            if execution.outcome != Outcome.DENIED or refusal:
                self._after(case, execution)
                return execution
            self._brake_held(case, execution.reason)
        return None

    async def _run(self, attempt: Attempt, refusal: str) -> Execution | None:
        """One execution to its end; None when the playbook is no remedy. Raises NotNowError."""
        case, playbook_id = attempt.case, attempt.playbook.playbook_id()
        try:
            execution = await self._engine.run(attempt, refusal)
        except BrokenPlanError as error:
            if not self._denied_before(case, text := f"{playbook_id}: {error}"):
                self._deny(case, text)
                await self._engine.record_broken(attempt, error)
            return None
        except CannotPlanError as error:
            log.info("%s: %s is no remedy: %s", case.incident.target, playbook_id, error)
            return None
        if execution.outcome is None:
            self._recovery.take_up(case, execution)
            await self._settle(case)
        return execution

    def _attempt(self, case: Case, playbook: Playbook, rung: int, *, patient: bool) -> Attempt:
        async def busy() -> bool:
            return patient and await self._gate.systemd_at_work(case)

        return Attempt(
            case=case,
            playbook=playbook,
            rung=rung,
            situation=self._situation(case, attempts=case.tries),
            time_limit_s=_time_to_verify_s(case),
            busy=busy,
            began=lambda: self._began(case, playbook.playbook_id(), rung),
            stuck=partial(self._stuck, case),
        )

    def _denied_before(self, case: Case, reason: str) -> bool:
        return reason in self._denied.get(case.incident.incident_id, ())

    def _deny(self, case: Case, reason: str) -> None:
        if not case.closed.is_set():
            self._denied.setdefault(case.incident.incident_id, set()).add(reason)

    def _brake_held(self, case: Case, reason: str) -> None:
        if not case.closed.is_set():
            self._deny(case, reason)
            self._diagnose(case)
            self._pager.page(case.incident, "denied", reason)

    def _began(self, case: Case, playbook_id: str, rung: int) -> None:
        self._memory.attempted(case.incident, playbook_id, rung, self._host.clock.now())
        self._diagnose(case)

    def _stuck(self, case: Case, execution: Execution) -> None:
        self._observing.begin(case, Beside.UNHEALED)
        self._pager.page(case.incident, "stuck", self._gate.disable(execution))

    def _after(self, case: Case, execution: Execution) -> None:
        self._diagnose(case)
        if execution.outcome == Outcome.DENIED:
            self._deny(case, f"{execution.playbook}: {execution.reason}")
        if execution.outcome in CAME_TO_NOTHING:
            self._observing.begin(case, Beside.UNHEALED)

    async def _cool_down(self, case: Case, playbook_id: str) -> None:
        """Waits out the back-off before a pass; within one, the next rung need not wait."""
        now = self._host.clock.now()
        wait_s = self._memory.of(case.incident, now).cooldown_left_s(now, self._gate.cooldown_s(playbook_id))
        if wait_s > 0:
            log.info("%s: next attempt in %.0f s", case.incident.target, wait_s)
            await case.wait_news(wait_s)

    async def _wait_to_see(self, case: Case) -> None:
        """Waits until the detecting probe can tell again; calls a human when that takes longer than the grace."""
        owner, loop = case.incident.owner_probe, asyncio.get_running_loop()
        deadline_s = loop.time() + (case.component.start_grace_s if case.component else SETTLE_S)
        while not case.closed.is_set() and (look := await case.look(owner)).ok is None:
            if loop.time() >= deadline_s:
                self._pager.page(case.incident, "inconclusive", f"{owner} cannot tell: {look.unknown}")
            await case.wait_closed(POLL_S)

    async def _call_a_human(self, case: Case, ladder: Sequence[str]) -> None:
        tried = ", ".join(ladder) if ladder else "there is no playbook for it"
        self._exhaust(case, "ladder_exhausted", f"{case.incident.issue_type}: {tried}")
        now = self._host.clock.now()
        self._memory.on_rung(case.incident, 0, now)
        cooldown_s = self._gate.cooldown_s(ladder[0]) if ladder else 0.0
        left_s = self._memory.of(case.incident, now).cooldown_left_s(now, cooldown_s)
        await case.wait_news(max(LAST_RESORT_COOLDOWN_S, left_s))

    def _exhaust(self, case: Case, reason: str, text: str) -> None:
        """Nothing more can be done: a human is called, once for an incident and what it is, whichever run of the agent
        it was in."""
        self._diagnose(case)
        self._observing.begin(case, Beside.UNHEALED)
        if not case.incident.exhausted:
            self._pager.page(case.incident, reason, text)
            case.incident.exhausted = True
            case.exhausted_as.add(case.incident.issue_type)
            self._record(case.incident)

    def _diagnose(self, case: Case) -> None:
        self._observing.begin(case, Beside.EVERY_INCIDENT)

    def _situation(self, case: Case, attempts: int = 0) -> Situation:
        return Situation(
            incident=case.incident,
            component=case.component,
            looker=case,
            attempts=attempts,
            components=self._components,
            protected=self._gate.protected,
            previewer=self.preview,
        )

    async def preview(self, situation: Situation, playbook_id: str) -> list[StepRecord]:
        """What a playbook would do in a situation. Raises CannotPlanError, and ProbeError."""
        return await self._playbooks[playbook_id].dry_run(situation, self._host)


def _time_to_verify_s(case: Case) -> float:
    """The grace, or where its looks take longer, as those that hold a session do, what they take."""
    grace_s = case.component.start_grace_s if case.component else SETTLE_S
    return max(grace_s, min(case.streak_s(case.incident.owner_probe), LONGEST_STREAK_S))
