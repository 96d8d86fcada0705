"""The contract of a playbook: what would be done, apart from doing it."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, ClassVar, Protocol, final

import msgspec

from guardian_agent.errors import CannotPlanError, StateError
from guardian_agent.host import Host
from guardian_agent.host.operations import Operation, to_json
from guardian_agent.model import Component, Endpoint, Incident, Reading, Stamp, StepRecord, StepState, Tier
from guardian_agent.playbooks.checkup import Checkup
from guardian_agent.playbooks.steps import FREE, Journal, Restraint, StepFailedError, carry_out, started_by, undo_steps

CUSTOM = "custom"


class Step(msgspec.Struct, frozen=True):
    """One operation, and the one that takes it back; without one it is irreversible."""

    do: Operation
    undo: Operation | None = None

    def as_record(self) -> StepRecord:
        return StepRecord(
            describe=self.do.describe(),
            undo_describe=self.undo.describe() if self.undo else "",
            operation=to_json(self.do),
            undo=to_json(self.undo) if self.undo else None,
        )


class Plan:
    """Steps to carry out in order, or (for a playbook that only observes) findings."""

    def __init__(
        self,
        *steps: Step,
        findings: dict[str, Any] | None = None,
        postconditions: tuple[str, ...] = (),
        replacement: Endpoint | None = None,
    ) -> None:
        """`findings`: what was read and is to be kept with the execution as its evidence; `postconditions`: probes, by
        id, that must be good too before this counts as a repair; `replacement`: where the component listens from then
        on, with its clients taken there from the endpoint that it declares."""
        self.steps = steps
        self.replacement = replacement
        self.findings = findings or {}
        self.postconditions = postconditions


class Seen(Protocol):
    """What the last look of a probe saw: `reading` is None when it could not tell, and `unknown` says why."""

    @property
    def at(self) -> Stamp: ...
    @property
    def took_s(self) -> float: ...
    @property
    def reading(self) -> Reading | None: ...
    @property
    def unknown(self) -> str: ...
    @property
    def ok(self) -> bool | None: ...


class Looker(Protocol):
    """Looks again with a component's own probes."""

    async def look(self, probe_id: str) -> Seen: ...
    def looks(self) -> Mapping[str, Seen]: ...
    def rise(self, probe_id: str) -> int: ...
    def confirm_interval_s(self, probe_id: str) -> float: ...


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """All that a playbook may know of what it is to mend."""

    incident: Incident
    component: Component | None
    looker: Looker
    attempts: int = 0  # executions that changed something for this incident already
    components: tuple[Component, ...] = ()  # all that the operator declared on this host
    protected: frozenset[str] = frozenset()  # units that are never touched, by systemd's own names too
    previewer: Callable[["Situation", str], Awaitable[list[StepRecord]]] | None = None
    checkup: Checkup | None = None  # None: this is about one incident

    def workload(self) -> Component:
        """The component. Raises CannotPlanError for an incident that is about none."""
        if self.component is None:
            raise CannotPlanError(f"{self.incident.target} is not a component of this host")
        return self.component

    async def preview(self, playbook_id: str) -> list[StepRecord]:
        """What another playbook would do here. Raises CannotPlanError, and ProbeError."""
        if self.previewer is None:
            raise CannotPlanError(f"nobody here can tell what {playbook_id} would do")
        return await self.previewer(self, playbook_id)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What looking again has shown: `good` is None when nobody could tell."""

    good: bool | None
    reason: str
    verified_at: Stamp | None = None  # the first good look of the streak that verified it


class Beside(StrEnum):
    """What a playbook of tier 0 runs beside. It is never waited for, and what it finds is only recorded."""

    EVERY_INCIDENT = "every incident"  # once each, with the first remedy
    UNHEALED = "unhealed"  # once for each incident without a ladder, at the end of it, or whose remedy came to nothing
    SCHEDULE = "schedule"  # none: once a day (`at`), and by hand


class Playbook(msgspec.Struct, frozen=True, kw_only=True):
    """Knows how to mend one kind of fault. `plan` is all that a playbook must write; the rest is the same for every
    one.

    A playbook is a struct: its fields are its own keys in `[playbooks.ID]`, read and checked by their types. The id is
    the file's name, the family the folder's, or `custom` for one that is not ours.
    """

    heals: ClassVar[tuple[str, ...]] = ()
    tier: ClassVar[Tier]
    beside: ClassVar[Beside] = Beside.EVERY_INCIDENT  # of tier 0 only; the others have a ladder
    observes_within_s: ClassVar[float] = 20.0  # how long planning may take when it is run beside something

    @classmethod
    def playbook_id(cls) -> str:
        return cls.__module__.rpartition(".")[2]

    @classmethod
    def family(cls) -> str:
        package, _, _ = cls.__module__.rpartition(".")
        return package.rpartition(".")[2] if package.startswith(f"{__package__}.") else CUSTOM

    @classmethod
    def summary(cls) -> str:
        return (inspect.getdoc(cls) or "").partition("\n")[0]

    async def plan(self, situation: Situation, host: Host) -> Plan:
        """What would be done. Only reads, prior values included, so that undoing is known before anything runs.

        Raises:
            CannotPlanError: this playbook is no remedy here; the text says why, and the next rung is tried.
            ProbeError: the machine could not be read.
        """
        raise CannotPlanError(f"{self.playbook_id()} has no plan for {situation.incident.issue_type} on {host}")

    async def evidence_after(self, situation: Situation, host: Host) -> dict[str, Any]:
        """What more is to be kept with the execution once it was carried out and verified: the numbers after it, beside
        those before it in the plan's findings. Only reads. Raises ProbeError, CannotPlanError: there are none."""
        return {}

    @final
    async def dry_run(self, situation: Situation, host: Host) -> list[StepRecord]:
        """The steps that `execute` would carry out, described; nothing is changed."""
        return [step.as_record() for step in (await self.plan(situation, host)).steps]

    @final
    async def execute(
        self,
        steps: list[StepRecord],
        host: Host,
        journal: Journal,
        time_limit_s: float,
        forbidden: Callable[[str], str] = lambda _: "",
    ) -> None:
        """Carries out the steps in order, each durable in the journal before it is applied.

        `forbidden` is asked before each, with the unit that the step starts (empty: none): why it may not be done any
        more, as when somebody stopped the component by hand while an earlier step took its time; empty when it may.

        Raises:
            StepFailedError: a step did not work, took longer than `time_limit_s` seconds, could not be journaled, or is
                forbidden by now.
        """
        for step in steps:
            step.state = StepState.APPLYING
            try:
                await journal.durably(step)
            except StateError as error:
                step.state = StepState.PLANNED
                raise StepFailedError(f"{step.describe}: not begun, since the journal failed: {error}") from error
            if reason := forbidden(started_by(step.operation)):
                step.state = StepState.PLANNED
                raise StepFailedError(f"{step.describe}: not begun: {reason}")
            if failure := await carry_out(host, step.operation, step.describe, time_limit_s, step.undo):
                step.state = StepState.PLANNED if failure.nothing_done else StepState.FAILED
                step.error = failure.text
                raise StepFailedError(failure.text)
            step.state = StepState.APPLIED
            journal.soon(step)

    @final
    async def verify(self, situation: Situation, must_be_good: set[str], within_s: float) -> Verdict:
        """Looks again with the probe that found the fault until it is good `rise` times in a row, `within_s` seconds
        at most.

        The component's other probes that were good before, and the plan's postconditions (`must_be_good`, by id), must
        not look bad.
        """
        verdict = Verdict(good=None, reason="not looked at yet")
        try:
            async with asyncio.timeout(within_s):
                while verdict.good is not True:
                    verdict = await self._look_again(situation, must_be_good)
        except TimeoutError:
            pass
        return verdict

    async def _look_again(self, situation: Situation, must_be_good: set[str]) -> Verdict:
        looker, owner = situation.looker, situation.incident.owner_probe
        first_good: Stamp | None = None
        for count in range(looker.rise(owner)):
            look = await looker.look(owner)
            if look.ok is not True:
                await asyncio.sleep(looker.confirm_interval_s(owner))
                if look.ok is None:
                    return Verdict(good=None, reason=f"{owner}: {look.unknown}")
                return Verdict(good=False, reason=f"{owner} still sees {situation.incident.issue_type}")
            first_good = first_good or look.at
            if count + 1 < looker.rise(owner):
                await asyncio.sleep(looker.confirm_interval_s(owner))
        for probe_id in sorted(must_be_good - {owner}):
            if (await looker.look(probe_id)).ok is False:
                await asyncio.sleep(looker.confirm_interval_s(probe_id))
                return Verdict(good=False, reason=f"{owner} is good again, but {probe_id} is not")
        return Verdict(good=True, reason=f"{owner} is good again", verified_at=first_good)

    @final
    async def rollback(
        self,
        steps: list[StepRecord],
        host: Host,
        journal: Journal,
        time_limit_s: float,
        restraint: Restraint = FREE,
    ) -> list[str]:
        """Takes back, newest first, what was done of the steps, as far as `restraint` lets it (`undo_steps`). Answers
        what was left out, and why. Raises StuckError, PostponedError."""
        return await undo_steps(steps, host, journal, time_limit_s, restraint)
