"""When is each probe looked at?"""

import asyncio
import logging
import math
import random
from collections.abc import Callable

import msgspec

from guardian_agent.detection.condition import Change, Condition
from guardian_agent.detection.flaps import Flaps
from guardian_agent.detection.lag import Lag
from guardian_agent.detection.looking import OVERRUN_S, Look, look_once
from guardian_agent.detection.starvation import Starvation, waited_for_cpu_s
from guardian_agent.host import Host
from guardian_agent.model import Schedule
from guardian_agent.probes import Probe

log = logging.getLogger(__name__)

JITTER = 0.1  # of the interval, so that looks of many probes and hosts do not fall into step
LAG_SHARE = 0.25  # of a look's timeout: if the agent was later, or starved for longer, a bad look says nothing
LEAST_LAG_S = 0.15  # what a busy host makes everybody wait for
OVERDUE_S = 5.0  # a look that is later than that is not late by accident
AFTER_PROBATION_S = 0.01  # so that the look that ends it is none too early
FIRST_EXPECTED_S = 0.01
STANDS_ON = ("host_unit", "host_process")  # what a component is to have come up by; the rest comes with it
BLIND_AGAIN_S = 0.2  # after a look that could not tell, and twice as long after each further one
EXPECTED_SHARE = 1 / 8  # of the time waited so far: so much can a recovery be seen too late


class Watch:
    """One probe on one target: its condition, its last look, and when the next one is due."""

    def __init__(self, probe: Probe, target: str, schedule: Schedule, *, quiet_until_s: float) -> None:
        self.probe = probe
        self.probe_id = type(probe).probe_id()
        self.target = target
        self.schedule = schedule
        self.condition = Condition(schedule.fall, schedule.rise, Flaps())
        self.last_look: Look | None = None
        self.ever_good = False
        self.quiet_until_s = quiet_until_s  # loop time; a target not yet seen good in this run may still be starting
        self.started_s = -math.inf  # loop time
        self.good_since_s = -math.inf  # when the last good look began
        self.hastened = asyncio.Event()
        self.waiting: list[asyncio.Future[Look]] = []  # for the next look
        self.asked: list[asyncio.Future[Look]] = []  # for the look under way
        self.unsettled_looks = 0
        self.blind_looks = 0  # in a row that could not tell
        self.expected_since_s: float | None = None  # loop time since which it may be good at any moment
        self.overdue_at_s = math.inf

    @property
    def key(self) -> str:
        return f"{self.probe_id}/{self.target}"

    @property
    def good_this_run(self) -> bool:
        """Whether a look was good that tells of the time since the last start, and not of the run before."""
        return self.good_since_s > -math.inf and self.good_since_s >= self.started_s + self.probe.remembers_s()

    @property
    def confirm_interval_s(self) -> float:
        own = 0.005 if self.probe.reads_kernel_state else self.schedule.interval_s / 4
        return self.schedule.confirm_interval_s if self.schedule.confirm_interval_s is not None else own

    @property
    def failing_as(self) -> str | None:
        """The issue type of the last look that could tell, when it was bad."""
        reading = self.condition.last_reading
        if reading is None or reading.ok:
            return None
        return reading.issue_type or self.probe.issue_types[0]

    def answer(self, look: Look) -> None:
        """Tells everybody who waits for the look under way what came of it."""
        for future in self.asked:
            if not future.done():
                future.set_result(look)
        self.asked = []

    def expect_good(self, now_s: float) -> None:
        """Something was mended that it may have failed for: its recovery is to be seen when it comes, not an interval
        later."""
        if self.condition.looks_bad:
            self.expected_since_s = now_s
            self.hastened.set()

    def next_delay_s(self, now_s: float) -> float:
        """Seconds to the next look: a burst while a streak is undecided (slowing when it stays so), else the interval,
        and less while it could not tell, since what it needs may be there in a moment."""
        blind = self.last_look is not None and self.last_look.reading is None
        self.blind_looks = self.blind_looks + 1 if blind else 0
        delay_s = self._next_delay_s(now_s)
        return min(delay_s, BLIND_AGAIN_S * 2 ** min(self.blind_looks - 1, 20)) if blind else delay_s

    def _next_delay_s(self, now_s: float) -> float:
        if self.expected_since_s is not None and self.condition.looks_bad:
            waited_s = now_s - self.expected_since_s
            return min(self.schedule.interval_s, max(FIRST_EXPECTED_S, waited_s * EXPECTED_SHARE))
        self.expected_since_s = None
        if not self.condition.undecided:
            self.unsettled_looks = 0
            delay_s = self.schedule.interval_s * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (not for secrets)
            left_s = self.condition.probation_left_s + AFTER_PROBATION_S
            return min(delay_s, left_s) if self.condition.on_probation else delay_s
        self.unsettled_looks += 1
        extra = max(0, self.unsettled_looks - 2 * (self.schedule.fall + self.schedule.rise))
        return float(min(self.schedule.interval_s, self.confirm_interval_s * 2 ** min(extra, 20)))


class Scheduler:
    """Looks at every watch on time, each in a task of its own: one that hangs or raises never delays another."""

    def __init__(
        self,
        host: Host,
        *,
        on_look: Callable[[Watch, Change | None], None],
        is_quiet: Callable[[str], bool],
        waited_s: Callable[[], float] = waited_for_cpu_s,
    ) -> None:
        """`on_look` hears of every look that could tell; while `is_quiet(target)`, no bad look of it decides
        anything. `waited_s` is there for tests."""
        self._host = host
        self._on_look = on_look
        self._is_quiet = is_quiet
        self._waited_s = waited_s
        self._stopped = False
        self.looks = 0
        self.looks_unknown = 0  # all that could not tell
        self.looks_late = 0  # of them, those that were bad while the agent itself was late
        self.watches: dict[str, Watch] = {}
        self._beats = 0

    def add(self, watch: Watch) -> None:
        """Takes in a watch; before `run` only."""
        self.watches[watch.key] = watch

    def of_target(self, target: str) -> list[Watch]:
        return [watch for watch in self.watches.values() if watch.target == target]

    def hasten(self, target: str) -> None:
        """Brings the next look of every probe of `target` forward to now. It judges nothing by itself."""
        for watch in self.of_target(target):
            watch.hastened.set()

    def begin_start(self, target: str, grace_s: float, at_s: float) -> None:
        """Somebody has started `target`, at that loop time: what is above its unit or process gets `grace_s` seconds to
        come up, in which bad looks of it decide nothing until there was a good one. A start that is known is no
        other."""
        for watch in self.of_target(target):
            if watch.probe_id not in STANDS_ON and at_s > watch.started_s:
                watch.started_s, watch.quiet_until_s = at_s, at_s + grace_s

    def coming_up(self, target: str) -> bool:
        """Whether something of `target` has its start's grace still, and what it stands on is up.

        What fails is what counts: a failure of what was good since the start is no start, however many slower probes
        have not looked yet.
        """
        now_s = asyncio.get_running_loop().time()
        watches = self.of_target(target)
        if any(watch.probe_id in STANDS_ON and watch.condition.looks_bad for watch in watches):
            return False
        bad = [watch for watch in watches if watch.condition.looks_bad and watch.ever_good]
        if any(self._has_come_up(watch) for watch in bad):
            return False
        judged = bad or watches
        return any(not self._has_come_up(w) and w.ever_good and now_s < w.quiet_until_s for w in judged)

    def _has_come_up(self, watch: Watch) -> bool:
        """Whether what it looks at was good since the start, by itself or by the probe that it comes up with."""
        other = self.watches.get(f"{watch.probe.comes_up_with}/{watch.target}")
        return watch.good_this_run or (other is not None and other.good_this_run)

    def beats(self) -> int:
        """Grows from call to call for as long as no look is overdue."""
        now_s = asyncio.get_running_loop().time()
        self._beats += all(watch.overdue_at_s > now_s for watch in self.watches.values())
        return self._beats

    async def look(self, watch: Watch) -> Look:
        """The result of a look that begins after this call; it counts for the condition like any other.

        Once `run` has ended the look is made here: a remedy that is drained still has to be verified.
        """
        if self._stopped:
            return await self._look_and_take_in(watch)
        future: asyncio.Future[Look] = asyncio.get_running_loop().create_future()
        watch.waiting.append(future)
        watch.hastened.set()
        return await future

    async def run(self) -> None:
        """Runs until cancelled."""
        self._stopped = False
        try:
            async with asyncio.TaskGroup() as group:
                for watch in self.watches.values():
                    group.create_task(self._keep_looking(watch), name=f"look {watch.key}")
                await asyncio.Event().wait()
        finally:
            self._stopped = True
            for watch in self.watches.values():
                watch.asked += watch.waiting
                watch.waiting = []
                watch.answer(Look(at=self._host.clock.now(), unknown="the scheduler was stopped"))

    async def _keep_looking(self, watch: Watch) -> None:
        delay_s = random.uniform(0, min(0.2, watch.schedule.interval_s))  # noqa: S311 (spreads the first looks)
        while True:
            limit_s = watch.schedule.timeout_s + OVERRUN_S + OVERDUE_S
            watch.overdue_at_s = asyncio.get_running_loop().time() + delay_s + limit_s
            try:
                async with asyncio.timeout(delay_s):
                    await watch.hastened.wait()
            except TimeoutError:
                pass
            watch.hastened.clear()
            watch.asked, watch.waiting = watch.waiting, []
            watch.answer(await self._look_and_take_in(watch))
            delay_s = watch.next_delay_s(asyncio.get_running_loop().time())

    async def _look_and_take_in(self, watch: Watch) -> Look:
        began_s = asyncio.get_running_loop().time()
        look = await self._look_once(watch)
        look = msgspec.structs.replace(look, took_s=asyncio.get_running_loop().time() - began_s)
        try:
            self._take_in(watch, look, began_s)
        except Exception:  # of whoever hears of looks: this probe and the others look on
            log.exception("what %s saw could not be taken in", watch.key)
        return look

    async def _look_once(self, watch: Watch) -> Look:
        limit_s = max(LEAST_LAG_S, LAG_SHARE * watch.schedule.timeout_s)
        if watch.probe.reads_kernel_state:
            look, late = await look_once(self._host, watch.probe, watch.schedule.timeout_s), ""
        else:
            with Lag(limit_s / 2) as lag, Starvation(self._waited_s) as starvation:
                look = await look_once(self._host, watch.probe, watch.schedule.timeout_s)
            late = _why_late(lag, starvation, limit_s) if look.ok is False else ""
        if late:
            look = msgspec.structs.replace(look, reading=None, unknown=late)
        elif look.bug and (watch.last_look is None or watch.last_look.unknown != look.unknown):
            log.error("probe %s raised", watch.key, exc_info=look.bug)
        self.looks += 1
        self.looks_unknown += look.reading is None
        self.looks_late += bool(late)
        return look

    def _take_in(self, watch: Watch, look: Look, began_s: float) -> None:
        if look.unknown and (watch.last_look is None or watch.last_look.unknown != look.unknown):
            log.info("probe %s cannot tell: %s", watch.key, look.unknown)
        watch.last_look = look
        if look.reading is None:
            return
        if look.reading.ok:
            watch.good_since_s = began_s
        starting = not self._has_come_up(watch) and asyncio.get_running_loop().time() < watch.quiet_until_s
        may_fail = not (starting or self._is_quiet(watch.target))
        self._on_look(watch, watch.condition.observe(look.reading, look.at, may_fail=may_fail))


def _why_late(lag: Lag, starvation: Starvation, limit_s: float) -> str:
    """Why a bad look of that time says nothing of what it looked at; empty when it does."""
    if lag.worst_s > limit_s:
        return f"the agent itself was late by {lag.worst_s:.2f} s during the look"
    if starvation.waited_s > limit_s:
        return f"the agent itself waited {starvation.waited_s:.2f} s for a processor during the look"
    return ""
