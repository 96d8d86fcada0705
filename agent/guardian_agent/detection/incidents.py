"""When does an incident open, who owns it, and when is it over?"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from guardian_agent.detection.case import Case
from guardian_agent.detection.condition import Change
from guardian_agent.detection.credit import credit, restarts_before
from guardian_agent.detection.dependents import Dependents
from guardian_agent.detection.holds import Holds
from guardian_agent.detection.own_addresses import OwnAddresses
from guardian_agent.detection.owning import Owning, last_good
from guardian_agent.detection.scheduler import Scheduler, Watch
from guardian_agent.detection.watches import memory_key
from guardian_agent.host import Host
from guardian_agent.model import (
    Component,
    ConditionState,
    Endpoint,
    Fact,
    Incident,
    Resolution,
    Stamp,
    Transition,
    uuid7,
)
from guardian_agent.plain import plain
from guardian_agent.probes.base import is_host_target

log = logging.getLogger(__name__)

RECURRENCE_S = 24 * 3600.0
AGAIN_S = 0.1  # before the next pass when the cause went by itself and something else is still bad
LOWER_MAY_FOLLOW_S = 0.3  # what is done to a network in two steps shows at a higher layer first
SETTLE_S = 20.0  # for targets without a component, hence without a start grace of their own


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """The last incident of a target and issue type that is over."""

    incident_id: str
    closed_at: Stamp


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """How incidents are kept. Each call is durable soon, in order; the caller does not wait for it."""

    record: Callable[[Fact], None]
    seen_good: Callable[[str], None]  # the memory key of a watch that is good for the first time on this host
    closed: Callable[[str, Closed], None]  # by TARGET/ISSUE_TYPE
    moved: Callable[[str, Endpoint | None], None]  # a component, and where it listens now; None: where it declares


class Incidents:
    """Opens one incident per target, decides what it is, has it healed, and closes it when all is good again."""

    def __init__(
        self,
        host: Host,
        components: Mapping[str, Component],
        holds: Holds,
        memory: Memory,
        heal: Callable[[Case], Awaitable[None]],
        on_closed: Callable[[Case], None],
    ) -> None:
        """`heal(case)` makes one pass up the ladder; it returns when there is nothing more to do for now."""
        self._host = host
        self._components = components
        self._holds = holds
        self._memory = memory
        self._heal = heal
        self._on_closed = on_closed
        self.scheduler = Scheduler(host, on_look=self.on_look, is_quiet=holds.is_quiet)
        self.open: dict[str, Case] = {}
        self._new: asyncio.Queue[Case] = asyncio.Queue()
        self._closed: dict[str, Closed] = {}
        depends_on = {name: component.depends_on for name, component in components.items()}
        own = OwnAddresses(host)
        self.dependents = Dependents(depends_on, self.open, holds, memory.record, own)
        self._owning = Owning(self.scheduler, self.dependents, own)
        self._restored: set[str] = set()  # incidents that this run did not open
        self._without_base: set[str] = set()  # of those: systemd's restarts before them are not known

    def restore(self, incidents: list[Incident], closed: dict[str, Closed], seen_good: set[str]) -> list[Case]:
        """Takes up what was open when the agent last stopped; what is no longer configured is closed as held."""
        self._closed = dict(closed)
        for watch in self.scheduler.watches.values():
            watch.ever_good = memory_key(watch) in seen_good
        cases = []
        for incident in incidents:
            owner = self.scheduler.watches.get(f"{incident.owner_probe}/{incident.target}")
            if owner is None:
                incident.held = True
                self._end(incident, Resolution.MANUAL, "configuration", verified_at=None)
                continue
            owner.condition.restore_failing()
            case = self._take_up(incident)
            case.bad_probes.add(owner.key)
            self._restored.add(incident.incident_id)
            if "restarts" not in incident.evidence:
                self._without_base.add(incident.incident_id)
            cases.append(case)
        return cases

    async def run(self) -> None:
        """Conducts every open incident, each in a task of its own, until cancelled."""
        self._new = asyncio.Queue()
        for case in self.open.values():
            self._new.put_nowait(case)
        async with asyncio.TaskGroup() as group:
            while True:
                case = await self._new.get()
                group.create_task(self._conduct(case), name=f"incident {case.incident.incident_id}")

    def on_look(self, watch: Watch, change: Change | None) -> None:
        """Takes in one look that could tell."""
        if change and change.to_state == ConditionState.OK and not watch.ever_good:
            watch.ever_good = True
            self._memory.seen_good(memory_key(watch))
        if change:
            self._memory.record(self._transition(watch, change))
        if watch.condition.looks_bad and self._holds.reason(watch.target):
            self._forget(watch)  # what is down on purpose is not failing, and no later incident began with it
        case = self.open.get(watch.target)
        if case is None:
            failing = watch.condition.state == ConditionState.FAILING and watch.condition.looks_bad
            if failing and watch.ever_good and not self._holds.is_quiet(watch.target):
                self._open(watch, change.since if change else watch.condition.streak_since or self._host.clock.now())
            return
        if watch.condition.looks_bad and watch.ever_good and watch.key not in case.bad_probes:
            case.bad_probes.add(watch.key)
            self.dependents.changed.set()  # what accounted for the rest may not account for this
        if watch.ever_good:
            case.hear(watch)
        if watch.probe_id == "host_unit" and case.incident.incident_id in self._without_base:
            self._without_base.discard(case.incident.incident_id)
            reading = watch.condition.last_reading
            case.restarts_before = int(reading.evidence.get("restarts", 0)) if reading else 0
        if watch.condition.turned_good:
            case.expect_good()
        self.settle(case)
        case.looked_at.set()

    def _forget(self, watch: Watch) -> None:
        was = watch.condition.state
        watch.condition.forget()
        if was != ConditionState.UNKNOWN:
            change = Change(was, ConditionState.UNKNOWN, self._host.clock.now())
            self._memory.record(self._transition(watch, change))

    def check(self, target: str) -> None:
        """Looks again at whether the target's incident is over, after something else than a look has changed."""
        if case := self.open.get(target):
            self.settle(case)

    def settle(self, case: Case) -> None:
        """Closes the incident if its component is good again, or is held; not while a remedy is in flight."""
        if case.acting or case.closed.is_set():
            return
        incident = case.incident
        if self._holds.reason(incident.target):
            incident.held = True
            self._end(incident, Resolution.MANUAL, "operator", verified_at=None)
        elif case.recovered() and self._all_seen(case):
            goods = [self.scheduler.watches[key].condition.streak_since for key in case.bad_probes]
            verified = max((good for good in goods if good), key=lambda stamp: stamp.boottime_ns, default=None)
            resolution, recovered_by = credit(case, self._holds.last_foreign_job(incident.target))
            self._end(incident, resolution, recovered_by, verified_at=verified)
        else:
            return
        self._restored.discard(incident.incident_id)
        self._without_base.discard(incident.incident_id)
        del self.open[incident.target]
        case.closed.set()
        case.looked_at.set()
        self.dependents.over(incident.target)
        self._on_closed(case)

    def _all_seen(self, case: Case) -> bool:
        """Whether each probe has looked since the agent's start: which ones were bad before it is not known."""
        return case.incident.incident_id not in self._restored or all(watch.last_look for watch in case.watches)

    def _open(self, watch: Watch, first_bad_at: Stamp) -> None:
        incident = Incident(
            incident_id=uuid7(),
            target=watch.target,
            issue_type=watch.failing_as or watch.probe.issue_types[0],
            layer=watch.probe.layer,
            owner_probe=watch.probe_id,
            last_good_at=last_good(self.scheduler, watch, first_bad_at),
            first_bad_at=first_bad_at,
            detected_at=self._host.clock.now(),
            evidence=plain(watch.condition.last_reading.evidence) if watch.condition.last_reading else {},
        )
        log.warning("%s: %s, seen by %s", incident.target, incident.issue_type, watch.probe_id)
        self._take_up(incident).bad_probes.add(watch.key)
        self._memory.record(incident)

    def _take_up(self, incident: Incident) -> Case:
        component = self._components.get(incident.target)
        not_its_own = self.dependents.why_wait
        case = Case(incident, component, self.scheduler, self.settle, self._memory.moved, not_its_own)
        unit_watch = self.scheduler.watches.get(f"host_unit/{incident.target}")
        case.restarts_before = restarts_before(incident, unit_watch)
        self.open[incident.target] = case
        self._new.put_nowait(case)
        return case

    async def _conduct(self, case: Case) -> None:
        """Goes on until the incident is closed; what goes wrong with one leaves the others alone."""
        while not case.closed.is_set():
            try:
                await self._pass(case)
            except Exception:
                log.exception("%s: the incident could not be conducted; trying again", case.incident.target)
                await case.wait_closed(SETTLE_S)

    async def _pass(self, case: Case) -> None:
        grace_s = case.component.start_grace_s if case.component else SETTLE_S
        case.outranked.clear()
        if is_host_target(case.incident.target):
            await case.wait_closed(LOWER_MAY_FOLLOW_S)
        await self._owning.bring_forward(case)
        self.settle(case)
        if case.closed.is_set():
            return
        if case.on_probation():  # there is nothing to mend
            await case.wait_relapse(grace_s)
            return
        if await self.dependents.wait(case, grace_s):
            return
        self._decide(case)
        finished_at = case.incident.action_finished_at
        await self._heal(case)
        self.settle(case)
        case.hasten()
        bad = self._owning.bad_watches(case)
        cause_went = bad and case.incident.owner_probe not in bad and case.incident.action_finished_at == finished_at
        await case.wait_relapse(AGAIN_S if cause_went else grace_s)

    def _decide(self, case: Case) -> None:
        incident = case.incident
        case.outranked.clear()
        self._owning.decide(case)
        incident.exhausted = incident.issue_type in case.exhausted_as
        incident.decided_at = incident.decided_at or self._host.clock.now()
        log.info("%s: decided: %s, by %s", incident.target, incident.issue_type, incident.owner_probe)
        before = self._closed.get(f"{incident.target}/{incident.issue_type}")
        if before and incident.first_bad_at.seconds_since(before.closed_at) < RECURRENCE_S:
            incident.recurrence_of = before.incident_id
        self._memory.record(incident)

    def _end(self, incident: Incident, resolution: Resolution, by: str, verified_at: Stamp | None) -> None:
        incident.resolution, incident.recovered_by = resolution, by
        incident.verified_at, incident.closed_at = verified_at, self._host.clock.now()
        closed = Closed(incident_id=incident.incident_id, closed_at=incident.closed_at)
        key = f"{incident.target}/{incident.issue_type}"
        self._closed[key] = closed
        self._memory.closed(key, closed)
        self._memory.record(incident)
        log.warning("%s: %s is over, %s%s", incident.target, incident.issue_type, resolution, f" by {by}" if by else "")

    def _transition(self, watch: Watch, change: Change) -> Transition:
        reading = watch.condition.last_reading
        return Transition(
            probe=watch.probe_id,
            target=watch.target,
            layer=watch.probe.layer,
            from_state=change.from_state,
            to_state=change.to_state,
            issue_type=watch.failing_as or "" if change.to_state == ConditionState.FAILING else "",
            evidence=plain(reading.evidence) if reading else {},
            first_seen=change.since,
        )
