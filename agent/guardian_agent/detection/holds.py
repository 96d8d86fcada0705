"""Did somebody stop this on purpose?"""

from collections.abc import Callable

import msgspec

from guardian_agent.host import UnitEvent, UnitState
from guardian_agent.model import Stamp

LONGEST_JOB_S = 600.0
DOWN = ("inactive", "failed", "deactivating")
STARTS = ("start", "restart")


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A component that somebody stopped on purpose: it neither opens nor heals."""

    component: str
    reason: str
    since: Stamp


class Holds:
    """Keeps which components are held, from the systemd jobs that are not ours.

    A stop job by anybody else holds the component, from its beginning until the unit is up again, by whomever, or
    somebody starts it, whatever comes of that; not so one that systemd queued because something else had failed or was
    being mended. A job's type can be gone before it
    can be read; then a job that is done and has left the unit inactive was a stop.
    """

    def __init__(self, remember: Callable[[Hold], None], forget: Callable[[str], None]) -> None:
        self._remember = remember
        self._forget = forget
        self._held: dict[str, Hold] = {}
        self._foreign_jobs: dict[str, Stamp] = {}
        self._pending: dict[str, Stamp] = {}  # when the job was first seen
        self._idle: set[str] = set()  # pending, and without a job when last read
        self._propagated: dict[str, int] = {}  # the stop job that is nobody's purpose

    def restore(self, holds: dict[str, Hold]) -> None:
        """Takes up what was held before the agent's restart."""
        self._held = dict(holds)

    def reason(self, component: str) -> str:
        """Why the component is held; empty when it is not."""
        hold = self._held.get(component)
        return hold.reason if hold else ""

    @property
    def pending(self) -> set[str]:
        """The components on whose units a systemd job is under way, as far as was told."""
        return set(self._pending)

    def is_quiet(self, component: str) -> bool:
        """Whether what is seen of the component decides nothing now: it is held, or a systemd job on it is under
        way."""
        return component in self._held or component in self._pending

    def expire(self, now: Stamp) -> None:
        """Gives up on jobs that take too long."""
        for component in [name for name, since in self._pending.items() if now.seconds_since(since) >= LONGEST_JOB_S]:
            self._end_pending(component)

    def read_pending(self, component: str, state: UnitState) -> bool:
        """Takes in a read between events; whether the job is over by it. A bus that was lost may have swallowed the
        end; one read is no proof, since an end is told some moments later."""
        if state.job_id:
            self._idle.discard(component)
            return False
        if component in self._idle:
            self._end_pending(component)
            return True
        self._idle.add(component)
        return False

    def last_foreign_job(self, component: str) -> Stamp | None:
        """When the last systemd job on the component's unit came that was not ours; None when none was seen."""
        return self._foreign_jobs.get(component)

    def hold(self, component: str, reason: str, now: Stamp) -> None:
        if component not in self._held:
            self._held[component] = Hold(component=component, reason=reason, since=now)
            self._remember(self._held[component])

    def release_of_earlier_boot(self, component: str, now: Stamp) -> None:
        """Ends a hold that was begun before this boot."""
        hold = self._held.get(component)
        if hold and hold.since.boot_id != now.boot_id:
            self.release(component)

    def release(self, component: str) -> None:
        if self._held.pop(component, None):
            self._forget(component)

    def hear(self, component: str, event: UnitEvent, now: Stamp) -> None:
        """Notes that there is a job, and whose, at once: until the unit is read, its incident may be over, or one may
        be opened for what the job has taken away."""
        if event.kind == "job_new":
            self._pending.setdefault(component, now)
        if event.kind.startswith("job_") and not event.ours:
            self._foreign_jobs[component] = now

    def take_in(
        self, component: str, event: UnitEvent, state: UnitState, now: Stamp, *, propagated: bool = False
    ) -> None:
        """Judges one event of the component's unit, with the unit's state read after it. `propagated`: what the unit
        needs had failed by then, or was being mended."""
        if state.load_state == "masked":
            self.hold(component, f"{state.unit} is masked", now)
            return
        restarts_itself = state.sub_state.startswith("auto-restart")
        if event.kind != "job_removed" and state.job_id and not restarts_itself:
            self._pending.setdefault(component, now)
        elif event.kind == "job_new" and restarts_itself:
            self._end_pending(component)  # it is down until it is up again
        elif event.kind == "job_removed" or (event.missed and state.active_state == "active"):
            self._end_pending(component)  # not when only the job is gone: how it ended is told some moments later
        if event.kind.startswith("job_") and not event.ours:
            self._foreign_jobs[component] = now
            self._take_in_job(component, event, state, now, propagated=propagated)
        if state.active_state == "active" and not (state.job_id and state.job_type == "stop"):
            self.release(component)

    def _take_in_job(self, component: str, event: UnitEvent, state: UnitState, now: Stamp, *, propagated: bool) -> None:
        if event.job_type in STARTS:
            if event.job_result != "canceled":  # as by a stop that came after it, and was told before
                self.release(component)
            return
        if event.kind == "job_new":
            if propagated:
                self._propagated[component] = event.job_id
            elif event.job_type == "stop":
                self.hold(component, f"{state.unit} was stopped by hand", now)
            return
        if self._propagated.get(component) == event.job_id:
            del self._propagated[component]
            return
        unread_stop = not event.job_type and event.job_result == "done" and state.active_state == "inactive"
        if (event.job_type == "stop" or unread_stop) and state.active_state in DOWN and not propagated:
            self.hold(component, f"{state.unit} was stopped by hand", now)

    def _end_pending(self, component: str) -> None:
        self._pending.pop(component, None)
        self._idle.discard(component)
