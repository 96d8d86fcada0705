import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator, Callable
from typing import ClassVar

import msgspec
import pytest
from tests.agent.fake_host import FakeHost

from guardian_agent.detection.condition import Change
from guardian_agent.detection.looking import OVERRUN_S
from guardian_agent.detection.scheduler import JITTER, Scheduler, Watch
from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.model import ConditionState, Layer, Reading, Schedule
from guardian_agent.probes import Probe


class Scripted(Probe, frozen=True, kw_only=True):
    """Answers what a function says."""

    layer: ClassVar = Layer.HOST
    issue_types: ClassVar = ("service_failed",)

    answer: Callable[[], bool | None]
    takes_s: float = 0.0
    times: list[float] = msgspec.field(default_factory=list)

    async def look(self, host: Host) -> Reading:
        self.times.append(asyncio.get_running_loop().time())
        if self.takes_s:
            await asyncio.sleep(self.takes_s)
        ok = self.answer()
        if ok is None:
            raise ProbeError("cannot tell")
        return Reading(ok=ok)


class Kernel(Scripted, frozen=True, kw_only=True):
    reads_kernel_state: ClassVar = True


class Remembering(Kernel, frozen=True, kw_only=True):
    def remembers_s(self) -> float:
        return 2.0


class Page(Kernel, frozen=True, kw_only=True):
    @classmethod
    def probe_id(cls) -> str:
        return "page"


class Content(Kernel, frozen=True, kw_only=True):
    comes_up_with: ClassVar = "page"


class Heard:
    """A scheduler, and what it told."""

    def __init__(self) -> None:
        self.looks: list[tuple[str, bool]] = []
        self.changes: list[tuple[float, ConditionState]] = []
        self.quiet: set[str] = set()
        self.scheduler = Scheduler(FakeHost(), on_look=self._on_look, is_quiet=self.quiet.__contains__)

    def watch(self, probe: Scripted, target: str, *, quiet_s: float = 0.0, **schedule: float) -> Watch:
        settings = Schedule(**{"interval_s": 5.0, **schedule})  # type: ignore[arg-type]
        watch = Watch(probe, target, settings, quiet_until_s=asyncio.get_running_loop().time() + quiet_s)
        self.scheduler.add(watch)
        return watch

    def _on_look(self, watch: Watch, change: Change | None) -> None:
        self.looks.append((watch.target, bool(watch.last_look and watch.last_look.ok)))
        if change:
            self.changes.append((asyncio.get_running_loop().time(), change.to_state))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.scheduler.run())
        yield
        assert not task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def times(watch: Watch) -> list[float]:
    assert isinstance(watch.probe, Scripted)
    return watch.probe.times


def gaps(moments: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(moments)]


async def test_looks_come_at_the_interval_with_jitter_and_never_in_step() -> None:
    heard = Heard()
    watch = heard.watch(Scripted(answer=lambda: True), "web", rise=1)
    async with heard.running():
        await asyncio.sleep(500.0)
    seen = gaps(times(watch))[1:]
    assert 90 < len(seen) < 110
    assert all(5.0 * (1 - JITTER) - 0.001 <= gap <= 5.0 * (1 + JITTER) + 0.001 for gap in seen)
    assert max(seen) - min(seen) > 0.1


@pytest.mark.parametrize(("probe", "confirm_s"), [(Kernel, 0.005), (Scripted, 1.25)])
async def test_after_a_first_bad_look_the_next_come_in_a_burst_until_it_is_decided(
    probe: type[Scripted], confirm_s: float
) -> None:
    heard = Heard()
    good = True
    watch = heard.watch(probe(answer=lambda: good), "web", fall=3)
    async with heard.running():
        await asyncio.sleep(20.0)
        good = False
        await asyncio.sleep(20.0)
    bad = [time for time, (_, ok) in zip(times(watch), heard.looks, strict=False) if not ok]
    assert gaps(bad[:3]) == pytest.approx([confirm_s, confirm_s])
    assert bad[3] - bad[2] >= 4.5
    decided_s, state = heard.changes[-1]
    assert decided_s == pytest.approx(bad[2]) and state == ConditionState.FAILING


async def test_a_burst_that_decides_nothing_slows_down_to_the_interval() -> None:
    heard = Heard()
    heard.quiet.add("web")
    watch = heard.watch(Kernel(answer=lambda: False), "web")
    async with heard.running():
        await asyncio.sleep(1000.0)
    assert heard.changes == []
    assert len(times(watch)) < 230


async def test_a_look_that_cannot_tell_is_made_again_soon_and_ever_less_often() -> None:
    heard = Heard()
    told = True
    watch = heard.watch(Scripted(answer=lambda: True if told else None), "web", rise=1)
    async with heard.running():
        await asyncio.sleep(1.0)
        told = False
        heard.scheduler.hasten("web")
        await asyncio.sleep(60.0)
        blind = gaps(times(watch)[1:])
        assert blind[:5] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2])
        assert all(gap >= 5.0 * (1 - JITTER) - 0.001 for gap in blind[5:])
        told = True
        await asyncio.sleep(20.0)
        told, before = False, len(times(watch))
        heard.scheduler.hasten("web")
        await asyncio.sleep(1.0)
        assert gaps(times(watch)[before:])[:2] == pytest.approx([0.2, 0.4])


async def test_hastening_brings_the_next_look_forward_and_judges_nothing() -> None:
    heard = Heard()
    watch = heard.watch(Scripted(answer=lambda: True), "web", rise=1)
    other = heard.watch(Scripted(answer=lambda: True), "db", rise=1)
    async with heard.running():
        await asyncio.sleep(1.0)
        before, others = len(times(watch)), len(times(other))
        heard.scheduler.hasten("web")
        await asyncio.sleep(0.001)
        assert len(times(watch)) == before + 1
        assert len(times(other)) == others


async def test_a_look_that_is_asked_for_begins_after_the_question() -> None:
    heard = Heard()
    answers = iter([True, False] + [True] * 100)
    watch = heard.watch(Scripted(answer=lambda: next(answers), takes_s=0.5), "web", rise=1, fall=9)
    async with heard.running():
        await asyncio.sleep(0.3)  # the first look is under way
        assert len(times(watch)) == 1 and watch.last_look is None
        asked_at = heard.scheduler._host.clock.now()
        look = await heard.scheduler.look(watch)
        assert look.ok is False and look.at.seconds_since(asked_at) >= 0.0
        assert look.took_s == pytest.approx(0.5)


async def test_a_look_that_nobody_waits_for_any_more_hurts_nobody() -> None:
    heard = Heard()
    watch = heard.watch(Scripted(answer=lambda: True, takes_s=0.5), "web")
    async with heard.running():
        impatient = asyncio.ensure_future(heard.scheduler.look(watch))
        await asyncio.sleep(0.3)
        patient = asyncio.ensure_future(heard.scheduler.look(watch))
        impatient.cancel()
        assert (await patient).ok is True
        await asyncio.sleep(20.0)


async def test_a_probe_that_hangs_delays_no_other_and_is_unknown() -> None:
    heard = Heard()
    hung = heard.watch(Scripted(answer=lambda: True, takes_s=1e9), "hung", timeout_s=2.0)
    heard.watch(Scripted(answer=lambda: True), "web", rise=1)
    async with heard.running():
        asked_s = asyncio.get_running_loop().time()
        look = await heard.scheduler.look(hung)
        assert asyncio.get_running_loop().time() - asked_s <= 2.0 + OVERRUN_S + 0.01
        assert look.ok is None and "did not end within 3 s" in look.unknown
        await asyncio.sleep(30.0)
    assert len([1 for target, _ in heard.looks if target == "web"]) >= 5


async def test_a_probe_that_raises_is_unknown_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> bool:
        raise ZeroDivisionError("a bug")

    heard = Heard()
    watch = heard.watch(Scripted(answer=broken), "web")
    async with heard.running():
        with caplog.at_level(logging.ERROR):
            await asyncio.sleep(60.0)
    assert watch.last_look and "ZeroDivisionError" in watch.last_look.unknown
    assert len([record for record in caplog.records if "raised" in record.message]) == 1


async def test_whoever_hears_of_looks_may_raise_and_all_look_on(caplog: pytest.LogCaptureFixture) -> None:
    def raise_it(_: Watch, __: Change | None) -> None:
        raise ZeroDivisionError("a bug in detection")

    heard = Heard()
    heard.scheduler._on_look = raise_it
    watch = heard.watch(Scripted(answer=lambda: True), "web")
    async with heard.running():
        assert (await heard.scheduler.look(watch)).ok is True
        await asyncio.sleep(60.0)
    assert len(times(watch)) > 10
    assert "could not be taken in" in caplog.text


async def test_unknown_looks_reach_nobody() -> None:
    heard = Heard()
    watch = heard.watch(Scripted(answer=lambda: None), "web")
    async with heard.running():
        await asyncio.sleep(60.0)
    assert heard.looks == [] and watch.condition.state == ConditionState.UNKNOWN
    assert watch.last_look and watch.last_look.unknown == "cannot tell"


async def test_while_a_target_is_quiet_bad_looks_decide_nothing() -> None:
    heard = Heard()
    heard.quiet.add("web")
    heard.watch(Scripted(answer=lambda: False), "web")
    async with heard.running():
        await asyncio.sleep(60.0)
        assert heard.changes == []
        heard.quiet.clear()
        await asyncio.sleep(10.0)
        assert [state for _, state in heard.changes] == [ConditionState.FAILING]


async def test_what_was_not_yet_good_in_this_run_may_still_be_starting() -> None:
    heard = Heard()
    heard.watch(Scripted(answer=lambda: False), "web", quiet_s=20.0)
    began_s = asyncio.get_running_loop().time()
    async with heard.running():
        await asyncio.sleep(40.0)
    ((failed_s, state),) = heard.changes
    assert state == ConditionState.FAILING and failed_s - began_s >= 20.0


async def test_looks_asked_for_when_it_stops_are_answered_and_later_ones_made_all_the_same() -> None:
    heard = Heard()
    watch = heard.watch(Scripted(answer=lambda: True, takes_s=0.5), "web")
    async with heard.running():
        under_way = asyncio.ensure_future(heard.scheduler.look(watch))
        await asyncio.sleep(0.3)
        next_one = asyncio.ensure_future(heard.scheduler.look(watch))
        await asyncio.sleep(0.0)
    assert (await under_way).ok is None and (await next_one).ok is None
    assert (await heard.scheduler.look(watch)).ok is True
    assert heard.looks == [("web", True)]


@pytest.mark.parametrize(("probe", "fails"), [(Kernel, True), (Remembering, False)])
async def test_after_a_start_what_is_good_from_before_is_no_sign_that_it_has_come_up(
    probe: type[Scripted], *, fails: bool
) -> None:
    heard = Heard()
    good = True
    watch = heard.watch(probe(answer=lambda: good), "web", interval_s=0.1)
    async with heard.running():
        await asyncio.sleep(1.0)
        heard.scheduler.begin_start("web", 5.0, asyncio.get_running_loop().time())
        await asyncio.sleep(0.5)  # the old one is seen still
        good = False
        await asyncio.sleep(1.0)
        assert (watch.condition.state == ConditionState.FAILING) is fails
        good = True
        await asyncio.sleep(2.0)
        assert watch.good_this_run
        good = False
        await asyncio.sleep(1.0)
        assert watch.condition.state == ConditionState.FAILING


async def test_what_comes_up_with_another_probe_may_fail_as_soon_as_that_was_good() -> None:
    heard = Heard()
    served = False
    page = heard.watch(Page(answer=lambda: served), "web", interval_s=0.1, quiet_s=5.0)
    content = heard.watch(Content(answer=lambda: False), "web", interval_s=0.1, quiet_s=5.0)
    content.ever_good = page.ever_good = True
    async with heard.running():
        await asyncio.sleep(1.0)
        assert heard.changes == [] and heard.scheduler.coming_up("web")
        served = True
        await asyncio.sleep(1.0)
        assert content.condition.state == ConditionState.FAILING and not heard.scheduler.coming_up("web")


async def test_a_good_look_that_began_before_the_start_is_no_sign_that_it_has_come_up() -> None:
    heard = Heard()
    watch = heard.watch(Scripted(answer=lambda: True, takes_s=1.0), "web", interval_s=5.0, rise=1)
    async with heard.running():
        await asyncio.sleep(4.0)
        heard.scheduler.hasten("web")
        await asyncio.sleep(0.5)
        heard.scheduler.begin_start("web", 30.0, asyncio.get_running_loop().time())
        await asyncio.sleep(1.0)
        assert watch.last_look is not None and watch.last_look.ok and not watch.good_this_run
        await asyncio.sleep(6.0)
        assert watch.good_this_run
