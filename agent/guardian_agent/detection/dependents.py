"""Does what is wrong with a component lie below it, in something that it rests on?"""

import asyncio
import logging
from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from guardian_agent.detection.case import Case
from guardian_agent.detection.holds import Holds
from guardian_agent.detection.ownership import common_ground, dependencies, lowest, still_accounts
from guardian_agent.model import Incident
from guardian_agent.probes import Probe
from guardian_agent.probes.base import below_an_own_address, is_host_target

log = logging.getLogger(__name__)

POLL_S = 1.0
FOLLOWS_S = 2.0  # what rests on something that has just come back notices it a moment later


class Dependents:
    """Waits with an incident while something below explains it, or was stopped on purpose."""

    def __init__(
        self,
        depends_on: Mapping[str, Sequence[str]],
        open_: Mapping[str, Case],
        holds: Holds,
        record: Callable[[Incident], None],
        own: Container[str] = (),
    ) -> None:
        """`own`: the names and addresses of this host itself."""
        self._depends_on = depends_on
        self._open = open_
        self._holds = holds
        self._record = record
        self._own = own
        self.changed = asyncio.Event()  # an incident was closed
        self._back_s: dict[str, float] = {}  # loop time at which the last incident of a target was over

    def below(self, target: str) -> list[str]:
        """Everything that the target rests on, deepest first."""
        return dependencies(target, self._depends_on)

    def held_below(self, target: str) -> str:
        """Why the target cannot be good: something that it rests on was stopped on purpose, or somebody's job on it
        is under way. Empty when nothing was."""
        for needed in self.below(target):
            if self._holds.is_quiet(needed):
                return f"it depends on {needed}, and {self._holds.reason(needed) or 'a systemd job on it is under way'}"
        return ""

    async def wait(self, case: Case, grace_s: float) -> bool:
        """Waits while what lies below accounts for the incident; whether it did."""
        if explainer := self._explainer(case):
            await self._wait_explained(case, explainer, grace_s)
            return True
        if (left_s := self._follows_s(case)) > 0:
            log.info("%s: what it depends on has just come back", case.incident.target)
            await case.wait_closed(left_s)
            return True
        if reason := self.held_below(case.incident.target):
            await self._wait_held(case, reason, grace_s)
            return True
        return False

    def why_wait(self, case: Case) -> str:
        """Why `wait` would wait; empty when it would not."""
        if explainer := self._explainer(case):
            return f"explained by {explainer.incident.issue_type} of {explainer.incident.target}"
        if self._follows_s(case) > 0:
            return "what it depends on has just come back"
        return self.held_below(case.incident.target)

    def over(self, target: str) -> None:
        """The target's incident is over."""
        self._back_s[target] = asyncio.get_running_loop().time()
        self.changed.set()

    def _follows_s(self, case: Case) -> float:
        """For how many seconds what the case rests on may account for it still, although it is good again."""
        back_s = [self._back_s[name] for name in self.below(case.incident.target) if name in self._back_s]
        until_s = max(back_s, default=-FOLLOWS_S) + FOLLOWS_S
        asks = all(not probe.reads_kernel_state for probe, _ in case.bad_looks())  # else it is its own fault
        return until_s - asyncio.get_running_loop().time() if asks else 0.0

    def _explainer(self, case: Case) -> Case | None:
        """The incident that accounts for this one: one of the host's own, or else of those of what the component
        declares to need the one that lies lowest and may still be mended by itself."""
        if (own := self.host_case(case, case.bad_looks())) is not None:
            return own
        for dependency in self.below(case.incident.target):
            other = self._open.get(dependency)
            if other and _accounts(other):
                return other
        return None

    def ground(self, probe: Probe, issue_type: str) -> set[str]:
        """The ids of the host's own probes whose failing accounts for this one's, failing as `issue_type` here."""
        below = probe.rests_on(issue_type)
        return below_an_own_address(below) if probe.asks() in self._own else set(below)

    def host_case(self, case: Case, bad: Iterable[tuple[Probe, str]]) -> Case | None:
        """The host's own incident that accounts for all of these bad looks of the case's probes, each with its issue
        type."""
        ground = common_ground(self.ground(probe, issue_type) for probe, issue_type in bad)
        able = {
            other.incident.incident_id: other
            for other in self._open.values()
            if other is not case
            and is_host_target(other.incident.target)
            and other.incident.owner_probe in ground
            and _accounts(other)
        }
        found = lowest(other.incident for other in able.values())
        return able[found.incident_id] if found else None

    async def _wait_explained(self, case: Case, explainer: Case, grace_s: float) -> None:
        incident = case.incident
        if incident.explained_by != explainer.incident.incident_id:
            incident.explained_by = explainer.incident.incident_id
            log.info("%s: explained by %s", incident.target, explainer.incident.target)
            self._record(incident)
        while not (case.closed.is_set() or explainer.closed.is_set() or self._explainer(case) is not explainer):
            await self._wait_for_change(case)
        if (explainer.closed.is_set() or explainer.on_probation()) and not case.closed.is_set():
            case.hasten()
            await case.wait_closed(grace_s)
        if not case.closed.is_set() and self._explainer(case) is None:
            incident.explained_by = ""

    async def _wait_held(self, case: Case, reason: str, grace_s: float) -> None:
        """Its incident is held as well, hence not counted, until what it rests on has been back for the grace."""
        incident = case.incident
        log.info("%s: left alone: %s", incident.target, reason)
        incident.held = True
        self._record(incident)
        while not case.closed.is_set() and self.held_below(incident.target) and not self._explainer(case):
            await self._wait_for_change(case)
        if not (case.closed.is_set() or self._explainer(case)):
            case.hasten()
            await case.wait_closed(grace_s)
        if not case.closed.is_set():
            incident.held = False
            self._record(incident)

    async def _wait_for_change(self, case: Case) -> None:
        self.changed.clear()
        waits = [asyncio.ensure_future(event.wait()) for event in (case.closed, self.changed)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED, timeout=POLL_S)
        for wait in waits:
            wait.cancel()


def _accounts(case: Case) -> bool:
    about_component = case.component is not None
    open_ = still_accounts(case.incident, about_component=about_component, tries=case.tries)
    return open_ and not case.on_probation()
