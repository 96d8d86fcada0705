"""When does a playbook run that is about no incident, but about a time of day?"""

import asyncio
import datetime
import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import ClassVar, Generic, TypeVar

import msgspec

log = logging.getLogger(__name__)

T = TypeVar("T")
DAY_S = 86_400.0
AFTER_START_S = 60.0  # a run that was missed while the agent was off waits so long, since the host may just have booted
LONGEST_SLEEP_S = 30.0  # so that a clock that was set, or a host that slept, is noticed


class LastRun(msgspec.Struct, frozen=True, kw_only=True):
    """When it was begun last. Durable: a restart of the agent misses nothing, and repeats nothing."""

    memory_kind: ClassVar = "schedule"
    wall_ns: int


def delay_of(name: str, jitter_s: float) -> float:
    """Seconds by which this host is later than the time that all are given: always the same for one name."""
    share = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    return share * jitter_s


def due_after(last_s: float, at: str, delay_s: float) -> float:
    """The wall time, in seconds, of the first run after `last_s`: at HH:MM of local time, and `delay_s` later."""
    hour, minute = (int(part) for part in at.split(":"))
    day = datetime.datetime.fromtimestamp(last_s - delay_s).replace(hour=hour, minute=minute, second=0, microsecond=0)  # noqa: DTZ006 - the operator's own time
    while (due_s := day.timestamp() + delay_s) <= last_s:
        day += datetime.timedelta(days=1)
    return due_s


class Schedule(Generic[T]):
    """Runs something once a day."""

    def __init__(
        self,
        *,
        at: str,
        delay_s: float,
        now_s: Callable[[], float],
        run: Callable[[], Awaitable[T]],
        remember: Callable[[LastRun], None],
    ) -> None:
        """`now_s` is the wall time in seconds."""
        self._at = at
        self._delay_s = delay_s
        self._now_s = now_s
        self._run = run
        self._remember = remember
        self._last: LastRun | None = None
        self._one_at_a_time = asyncio.Lock()

    def restore(self, last: LastRun | None) -> None:
        """Takes up when it ran before the agent's restart."""
        self._last = last

    async def keep(self) -> None:
        """Runs until cancelled."""
        started_s = self._now_s()
        while True:
            left_s = self._due_s(started_s) - self._now_s()
            if left_s > 0:
                await asyncio.sleep(min(left_s, LONGEST_SLEEP_S))
                continue
            await self.run_now()

    async def run_now(self) -> T:
        """Runs it, at once or when a run that is under way has ended, and answers what came of it."""
        async with self._one_at_a_time:
            self._last = LastRun(wall_ns=int(self._now_s() * 1e9))
            self._remember(self._last)
            return await self._run()

    def _due_s(self, started_s: float) -> float:
        last_s = self._last.wall_ns / 1e9 if self._last else None
        if last_s is None or last_s > self._now_s():  # never, or by a clock that has been set back since
            return due_after(started_s, self._at, self._delay_s)
        due_s = due_after(last_s, self._at, self._delay_s)
        if due_s >= started_s:
            return due_s
        missed = started_s - last_s > DAY_S
        return started_s + AFTER_START_S if missed else due_after(started_s, self._at, self._delay_s)
