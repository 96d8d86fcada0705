"""What is known of one open incident, and what may be asked about it?"""

import asyncio
from collections.abc import Callable

from guardian_agent.detection.looking import Look
from guardian_agent.detection.ownership import rank
from guardian_agent.detection.scheduler import Scheduler, Watch
from guardian_agent.model import Component, ConditionState, Endpoint, Incident
from guardian_agent.probes import Probe


class Case:
    """An open incident with its component and its probes. Healing sees detection through this and nothing else."""

    def __init__(
        self,
        incident: Incident,
        component: Component | None,
        scheduler: Scheduler,
        settle: Callable[["Case"], None] = lambda _: None,
        move: Callable[[str, Endpoint | None], None] = lambda _, __: None,
        not_its_own: Callable[["Case"], str] = lambda _: "",
    ) -> None:
        """`settle(case)` closes the incident when it is over by now; `move(component, endpoint)` is heard by the
        probes; `not_its_own(case)`: why it is not for the target itself to be mended."""
        self.incident = incident
        self.component = component
        self.closed = asyncio.Event()
        self.looked_at = asyncio.Event()  # one of its probes has looked, or it was closed
        self.outranked = asyncio.Event()  # something nearer to a cause has begun to fail since it was last decided
        self.healed_by = ""  # the playbook of this incident's healed execution
        self.last_tried = ""  # the playbook that last changed something for it
        self.tries = 0  # executions that changed something for it
        self.acting = False  # while a remedy is in flight the incident stays open
        self.bad_probes: set[str] = set()  # keys of the watches that looked bad while it was open
        self.exhausted_as = {incident.issue_type} if incident.exhausted else set[str]()  # issue types given up
        self._heard: dict[str, str] = {}  # issue types that failing probes have told of, by watch key
        self.restarts_before = 0  # systemd's own restarts of the unit, as last seen when it was good
        self._scheduler = scheduler
        self._settle = settle
        self._move = move
        self._not_its_own = not_its_own

    @property
    def watches(self) -> list[Watch]:
        return self._scheduler.of_target(self.incident.target)

    @property
    def owner(self) -> Watch:
        return self._watch(self.incident.owner_probe)

    def _watch(self, probe_id: str) -> Watch:
        return self._scheduler.watches[f"{probe_id}/{self.incident.target}"]

    async def look(self, probe_id: str) -> Look:
        """A look of one of the component's probes that begins now; it counts for its condition."""
        return await self._scheduler.look(self._watch(probe_id))

    def last_look(self, probe_id: str) -> Look | None:
        return self._watch(probe_id).last_look

    def rise(self, probe_id: str) -> int:
        """How many good looks in a row make this probe good."""
        return self._watch(probe_id).schedule.rise

    def confirm_interval_s(self, probe_id: str) -> float:
        return self._watch(probe_id).confirm_interval_s

    def streak_s(self, probe_id: str) -> float:
        """How many seconds the looks take at most that make this probe good."""
        schedule = self._watch(probe_id).schedule
        return schedule.rise * (schedule.timeout_s + self.confirm_interval_s(probe_id))

    def good_probes(self) -> set[str]:
        """The component's probes that look good now, by id."""
        return {watch.probe_id for watch in self.watches if watch.last_look is not None and watch.last_look.ok}

    def proven_probes(self) -> set[str]:
        """The component's probes that were good at least once on this host, by id: those that can tell a repair."""
        return {watch.probe_id for watch in self.watches if watch.ever_good}

    def looks(self) -> dict[str, Look]:
        """The last look of each of the component's probes that has looked, by probe id."""
        return {watch.probe_id: watch.last_look for watch in self.watches if watch.last_look is not None}

    def bad_looks(self) -> list[tuple[Probe, str]]:
        """The probes that look bad, of those that were good on this host before, each with its issue type."""
        seen = [(w.probe, issue) for w in self.watches if w.ever_good and (issue := w.failing_as) is not None]
        return seen or [(self.owner.probe, self.incident.issue_type)]

    def hasten(self) -> None:
        self._scheduler.hasten(self.incident.target)

    def hear(self, watch: Watch) -> None:
        """Notices when one of its probes begins to fail as something that outranks what the incident is.

        While a remedy is in flight the component goes down and comes up: what it says then counts once that is over.
        """
        if self.acting:
            return
        issue = watch.failing_as if watch.condition.state == ConditionState.FAILING else None
        if issue is None:
            self._heard.pop(watch.key, None)
        elif self._heard.get(watch.key) != issue:
            self._heard[watch.key] = issue
            if rank(issue) < rank(self.incident.issue_type):
                self.outranked.set()

    def move(self, to: Endpoint | None) -> None:
        """From here on the component's probes take it to listen there; None: where it declares."""
        self._move(self.incident.target, to)

    def acted(self) -> None:
        """The remedy in flight is over; so may the incident be, by what was seen meanwhile."""
        self.acting = False
        self.expect_good()
        self._settle(self)

    def started(self, at_s: float) -> None:
        """The component's unit is up since then (loop time), as somebody has just seen."""
        if self.component is not None:
            self._scheduler.begin_start(self.incident.target, self.component.start_grace_s, at_s)

    def not_its_own(self) -> str:
        """Why the incident is not to be healed by what is done to its target: by now, what that rests on accounts for
        it. Empty when it is."""
        return self._not_its_own(self)

    def coming_up(self) -> bool:
        """Whether the component was started a moment ago and may need no more than time."""
        return self._scheduler.coming_up(self.incident.target)

    def expect_good(self) -> None:
        """Has all that looks bad looked at again and again, since it may be good at any moment."""
        for watch in self.watches:
            watch.expect_good(asyncio.get_running_loop().time())

    def recovered(self) -> bool:
        """Whether every probe of the component is good again, each for its `rise` looks."""
        return not any(
            watch.condition.state != ConditionState.OK or watch.condition.looks_bad
            for watch in self.watches
            if watch.key in self.bad_probes
        )

    def on_probation(self) -> bool:
        """Whether all is good again, and only has to stay so because it failed again and again."""
        conditions = [watch.condition for watch in self.watches if watch.key in self.bad_probes]
        good = all(condition.decided == ConditionState.OK for condition in conditions)
        return good and any(condition.on_probation for condition in conditions)

    async def wait_relapse(self, timeout_s: float) -> None:
        """Waits until the incident is closed, `timeout_s` seconds at most; once it is on probation, for as long as it
        is so; or until something outranks what it is."""
        on_probation = False
        try:
            async with asyncio.timeout(timeout_s) as limit:
                while not (self.closed.is_set() or self.outranked.is_set()):
                    if self.on_probation() and not on_probation:
                        on_probation = True
                        limit.reschedule(None)
                    elif on_probation and not self.on_probation():
                        self.healed_by = ""  # nor has that brought the incident to its end
                        return
                    self.looked_at.clear()
                    await self.looked_at.wait()
        except TimeoutError:
            pass

    async def wait_closed(self, timeout_s: float) -> bool:
        """Waits until the incident is closed, `timeout_s` seconds at most; whether it is."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.closed.wait()
        except TimeoutError:
            pass
        return self.closed.is_set()

    async def wait_news(self, timeout_s: float | None = None) -> None:
        """Waits until the incident is closed or something outranks what it is, `timeout_s` seconds at most."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self.closed, self.outranked)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED, timeout=timeout_s)
        finally:
            for wait in waits:
                wait.cancel()
