"""What systemd's signals add up to: jobs, whose they are, what they were, and the events that tell of it.

Nothing here waits or sends: messages go in, in the order of the bus, and events come out.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import msgspec

from guardian_agent.host import UnitEvent

if TYPE_CHECKING:
    from dbus_fast import Message

QUEUED_EVENTS = 1024


class UnitEvents:
    """Events from its making on. One that nobody reads forgets its oldest."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[UnitEvent | None] = asyncio.Queue(QUEUED_EVENTS)
        self._last: UnitEvent | None = None

    def put(self, event: UnitEvent | None) -> None:
        """Queues an event, or the end; a "changed" right after the same one, unread, says nothing new."""
        if event is not None and event == self._last and event.kind == "changed" and not self._queue.empty():
            return
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(event)
        self._last = event

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> UnitEvent:
        event = await self._queue.get()
        if event is None:
            self.put(None)
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        """Ends the iteration."""
        self.put(None)


class Job(msgspec.Struct):
    """A job in systemd's queue that was announced to us."""

    unit: str
    states: list[str]  # the unit's active states, from the one it had when the job came
    type: str = ""
    serial: int | None = None  # of the question for its type, while that is unanswered
    result: str | None = None  # it ended before its type was known


class Jobs:
    """The jobs in systemd's queue. `ask` sends for a job's type and returns the serial that the reply will carry."""

    def __init__(self, emit: Callable[[UnitEvent], None], ask: Callable[[str], int | None]) -> None:
        self.own_calls: set[int] = set()  # serials of calls that will be answered with a job
        self._emit = emit
        self._ask = ask
        self._active: dict[str, str] = {}  # unit → active state, as last told
        self._jobs: dict[int, Job] = {}
        self._own: set[int] = set()
        self._results: dict[int, asyncio.Future[str]] = {}

    async def result(self, path: str) -> str:
        """Waits for the end of our own job. Raises what `lost` was given."""
        job_id = _job_id(path)
        try:
            return await self._results[job_id]
        finally:
            self._results.pop(job_id, None)

    def lost(self, why: Exception) -> None:
        """The connection is gone. Serials were its own; job numbers are systemd's, and ours stay ours."""
        self._jobs.clear()
        self.own_calls.clear()
        for future in self._results.values():
            if not future.done():
                future.set_exception(why)

    def forget_units(self) -> None:
        """What was told of units may be out of date."""
        self._active.clear()

    def unit_is(self, unit: str, state: str) -> None:
        """A unit's active state, asked for; what a signal told meanwhile is newer."""
        self._active.setdefault(unit, state)

    def unit_changed(self, unit: str, properties: dict[str, Any]) -> None:
        """PropertiesChanged came."""
        if (state := properties.get("ActiveState")) is not None:
            self._active[unit] = state.value
            for job in self._jobs.values():
                if job.unit == unit and job.result is None and job.states[-1] != state.value:
                    job.states.append(state.value)
        self._emit(UnitEvent(unit=unit, kind="changed"))

    def new(self, job_id: int, path: str, unit: str) -> None:
        """JobNew came. Its type is asked for at once: a short job is gone, and its type with it, a moment later."""
        self._jobs[job_id] = Job(unit, [self._active.get(unit, "")], serial=self._ask(path))

    def replied(self, message: "Message") -> None:
        """A reply came, before whoever waits for it sees it."""
        serial = message.reply_serial
        if serial in self.own_calls:
            self.own_calls.discard(serial)
            if not message.error_name:
                job_id = _job_id(message.body[0])
                self._own.add(job_id)
                self._results[job_id] = asyncio.get_running_loop().create_future()
            return
        for job_id, job in self._jobs.items():
            if job.serial == serial:
                job.serial = None
                job.type = "" if message.error_name else message.body[0].value
                self._tell("job_new", job_id, job)
                if job.result is not None:
                    self.removed(job_id, job.unit, job.result)
                return

    def removed(self, job_id: int, unit: str, result: str) -> None:
        """JobRemoved came."""
        if (future := self._results.get(job_id)) is not None and not future.done():
            future.set_result(result)
        job = self._jobs.setdefault(job_id, Job(unit, [self._active.get(unit, "")]))
        job.result = result
        if job.serial is None:  # else it is told after its beginning, when that is answered
            del self._jobs[job_id]
            if not job.type and result == "done":
                job.type = _type_by(job.states)
            self._tell("job_removed", job_id, job)
            self._own.discard(job_id)

    def _tell(self, kind: str, job_id: int, job: Job) -> None:
        self._emit(
            UnitEvent(
                unit=job.unit,
                kind=kind,
                job_id=job_id,
                job_type=job.type,
                job_result=job.result or "" if kind == "job_removed" else "",
                ours=job_id in self._own,
            )
        )


def _type_by(states: list[str]) -> str:
    """Which type of job took a unit through these active states; empty when they do not tell.

    Two of three jobs of a quick unit are over before systemd answers what they were, and an operator's stop must be
    known for one. systemd tells a unit's last state before the end of its job.
    """
    came = set(states[1:])
    if states[-1] in ("inactive", "failed"):
        return "start" if "activating" in came else "stop"  # a oneshot is inactive when its start is done
    if states[-1] != "active":
        return ""
    if came & {"deactivating", "inactive", "failed"}:
        return "restart"
    return "start" if states[0] not in ("active", "") else ""


def _job_id(path: str) -> int:
    return int(path.rpartition("/")[2])
