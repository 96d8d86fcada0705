"""What happens on the host that brings the next looks forward? None of it judges."""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Iterable

import msgspec

from guardian_agent.detection.holds import STARTS, Holds
from guardian_agent.detection.incidents import Incidents
from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, UnitEvent, UnitState
from guardian_agent.model import Component

log = logging.getLogger(__name__)

PENDING_POLL_S = 1.0  # how often a unit is read whose job's end is waited for
FRESH_S = 10.0  # so young an incident may have begun while nothing was told
MOST_NEEDED = 20  # units; deeper nobody looks
GONE_POLL_S = 0.2  # until a command that has ended is started again there is nothing to wait on


class Hastening:
    """Hears of systemd units and of ended processes, and has the component looked at at once."""

    def __init__(self, host: Host, components: Iterable[Component], holds: Holds, incidents: Incidents) -> None:
        self._host = host
        self._holds = holds
        self._incidents = incidents
        self._by_unit: dict[str, list[str]] = {}
        self._commands: list[str] = []
        self._inherited: set[int] = set()  # jobs of remedies that the agent's last run did not live to finish
        self._grace_s: dict[str, float] = {}
        for component in components:
            self._grace_s[component.name] = component.start_grace_s
            if component.unit:
                self._by_unit.setdefault(component.unit, []).append(component.name)
            elif component.command:
                self._commands.append(component.name)

    async def hold_what_is_stopped(self, stopped_by_us: Collection[str] = ()) -> None:
        """Holds what is found cleanly stopped when the agent starts and has no incident: nobody saw who stopped it.
        `stopped_by_us`: units that a remedy has stopped whose component is no longer there by that name.

        Holds from before this boot end: systemd's own stops at a shutdown were among them.
        """
        now, open_ = self._host.clock.now(), self._incidents.open
        for unit, components in self._by_unit.items():
            try:
                state = await self._host.units.state(unit)
            except ProbeError as error:
                log.warning("%s cannot be read: %s", unit, error)
                continue
            if state.load_state == "not-found":
                log.error("%s does not exist: %s cannot be judged nor healed", unit, ", ".join(components))
            if state.job_id and any(name in open_ and open_[name].acting for name in components):
                self._inherited.add(state.job_id)
            stopped = _stopped(state) and unit not in stopped_by_us and not await self._brought_down(unit)
            for component in components:
                self._holds.release_of_earlier_boot(component, now)
                if state.load_state == "masked" or (stopped and not self._was_down(component)):
                    self._hold(
                        component, f"{unit} was {state.load_state} and {state.active_state} at the agent's start"
                    )
                elif state.active_state == "active":
                    self._holds.release(component)

    def _was_down(self, component: str) -> bool:
        """Whether it was down already when the agent last saw it, or the agent itself was at work on it."""
        case = self._incidents.open.get(component)
        return case is not None and (case.acting or case.incident.issue_type == "service_failed")

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._by_unit:
                group.create_task(self._hear_units(), name="unit events")
            for component in self._commands:
                group.create_task(self._hear_exits(component), name=f"exits of {component}")
            while True:
                await asyncio.sleep(PENDING_POLL_S)
                self._holds.expire(self._host.clock.now())
                await self._read_pending()

    async def _hear_units(self) -> None:
        for unit in self._by_unit:
            self._host.units.watch(unit)
        events = self._host.units.events()
        async with contextlib.aclosing(events):
            async for heard in events:
                event = msgspec.structs.replace(heard, ours=heard.ours or heard.job_id in self._inherited)
                components = self._by_unit.get(event.unit, [])
                for component in components:
                    self._holds.hear(component, event, self._host.clock.now())
                    self._incidents.scheduler.hasten(component)
                try:
                    state = await self._host.units.state(event.unit)
                except ProbeError as error:
                    log.info("%s cannot be read: %s", event.unit, error)
                    continue
                unread = event.job_id != 0 and not event.job_type
                stopped = not event.ours and (event.job_type == "stop" or event.missed or unread)
                propagated = stopped and await self._brought_down(event.unit)
                for component in components:
                    self._holds.take_in(component, event, state, self._host.clock.now(), propagated=propagated)
                    if _has_started(event, state):
                        self._incidents.scheduler.begin_start(component, self._grace_s[component], state.active_since_s)
                    if event.missed and not propagated:
                        self._hold_what_was_stopped_unheard(component, state)
                    self._incidents.check(component)
                    self._incidents.scheduler.hasten(component)

    async def _brought_down(self, unit: str) -> bool:
        """Whether something that the unit cannot be up without has failed, or is being mended by us: then systemd
        stops the unit with it, and that is nobody's purpose."""
        seen, ahead = {unit}, [unit]
        try:
            while ahead and len(seen) < MOST_NEEDED:
                for needed in await self._host.units.needs(ahead.pop()):
                    if needed in seen or not needed.endswith(".service"):
                        continue
                    if any(
                        self._incidents.open[name].acting
                        for name in self._by_unit.get(needed, ())
                        if name in self._incidents.open
                    ):
                        return True
                    state = await self._host.units.state(needed)
                    failed = state.active_state == "failed" or state.sub_state.startswith("auto-restart")
                    if failed or (state.active_state != "active" and state.result not in ("", "success")):
                        return True
                    seen.add(needed)
                    ahead.append(needed)
        except ProbeError as error:
            log.info("what %s needs cannot be read: %s", unit, error)
        return False

    def _hold_what_was_stopped_unheard(self, component: str, state: UnitState) -> None:
        """As at the agent's start: nobody saw who stopped it."""
        case = self._incidents.open.get(component)
        age_s = self._host.clock.now().seconds_since(case.incident.first_bad_at) if case else 0.0
        if _stopped(state) and (case is None or (age_s < FRESH_S and not case.acting and not case.last_tried)):
            self._hold(component, f"{state.unit} was found stopped when systemd could be heard again")

    async def _read_pending(self) -> None:
        """Ends waiting for jobs whose end was never told."""
        waiting = self._holds.pending
        for unit, components in self._by_unit.items():
            if waiting.isdisjoint(components):
                continue
            try:
                state = await self._host.units.state(unit)
            except ProbeError:
                continue  # its probe says so
            for component in waiting.intersection(components):
                if self._holds.read_pending(component, state):
                    self._incidents.check(component)
                    self._incidents.scheduler.hasten(component)

    async def _hear_exits(self, component: str) -> None:
        while True:
            with contextlib.suppress(ProbeError):  # the probe of it says so
                process = await self._host.processes.command(component)
                if process is not None and process.alive:
                    await self._host.processes.wait_exit(component)
                    self._incidents.scheduler.hasten(component)
            await asyncio.sleep(GONE_POLL_S)

    def _hold(self, component: str, reason: str) -> None:
        log.warning("%s is held: %s", component, reason)
        self._holds.hold(component, reason, self._host.clock.now())


def _has_started(event: UnitEvent, state: UnitState) -> bool:
    """Whether somebody's start is done. What is done so soon that its type could not be read, and has left the unit
    up, is taken for one."""
    started = event.job_type in STARTS or (not event.job_type and state.active_state == "active")
    return event.kind == "job_removed" and event.job_result == "done" and started


def _stopped(state: UnitState) -> bool:
    return state.active_state == "inactive" and state.result in ("", "success") and not state.job_id
