import asyncio
import os
import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_agent.healing.schedule import AFTER_START_S, DAY_S, LastRun, Schedule, delay_of, due_after

HOUR_S = 3600.0


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(os.environ, "TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def local_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("last", "due"),
    [
        ("2026-07-01T03:29:59", "2026-07-01T03:30"),
        ("2026-07-01T03:30:00", "2026-07-02T03:30"),
        ("2026-07-01T12:00:00", "2026-07-02T03:30"),
        ("2026-03-28T12:00:00", "2026-03-29T03:30"),  # the clock goes from 2 to 3 in that night
        ("2026-10-24T12:00:00", "2026-10-25T03:30"),  # and from 3 back to 2 in that one
    ],
)
def test_it_is_due_at_the_next_such_time_of_the_local_day(last: str, due: str) -> None:
    assert due_after(local_s(last), "03:30", 0.0) == local_s(due)


@given(last_s=st.floats(1.7e9, 1.9e9), hour=st.integers(0, 23), delay_s=st.floats(0, 43_200))
def test_it_is_due_within_a_day_of_at_most_25_hours(last_s: float, hour: int, delay_s: float) -> None:
    due_s = due_after(last_s, f"{hour:02}:30", delay_s)
    assert last_s < due_s <= last_s + 26 * HOUR_S
    assert due_after(due_s, f"{hour:02}:30", delay_s) >= due_s + 22 * HOUR_S


@given(name=st.text(), jitter_s=st.floats(0, 43_200))
def test_a_host_is_always_late_by_the_same_time_within_the_jitter(name: str, jitter_s: float) -> None:
    assert 0 <= delay_of(name, jitter_s) <= jitter_s
    assert delay_of(name, jitter_s) == delay_of(name, jitter_s)


class Night:
    """A schedule at half past three, in virtual time from a local time on."""

    def __init__(self, begin: str, last: str = "") -> None:
        self.offset_s = local_s(begin) - asyncio.get_running_loop().time()
        self.ran: list[str] = []
        self.remembered: list[LastRun] = []
        self.schedule = Schedule(
            at="03:30", delay_s=0.0, now_s=self.now_s, run=self.run, remember=self.remembered.append
        )
        self.schedule.restore(LastRun(wall_ns=int(local_s(last) * 1e9)) if last else None)

    def now_s(self) -> float:
        return asyncio.get_running_loop().time() + self.offset_s

    async def run(self) -> str:
        self.ran.append(datetime.fromtimestamp(self.now_s()).isoformat(timespec="minutes"))  # noqa: DTZ006 - local time is what it is about
        await asyncio.sleep(5.0)
        return "done"

    async def hours(self, count: float) -> list[str]:
        keeping = asyncio.ensure_future(self.schedule.keep())
        await asyncio.sleep(count * HOUR_S)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        return self.ran


async def test_a_new_host_waits_for_the_time_and_then_runs_every_day() -> None:
    night = Night("2026-07-01T12:00")
    assert await night.hours(48) == ["2026-07-02T03:30", "2026-07-03T03:30"]
    assert [one.wall_ns // 10**9 for one in night.remembered] == [local_s(ran) for ran in night.ran]


async def test_what_was_missed_while_the_agent_was_off_is_made_up_for_once() -> None:
    night = Night("2026-07-05T12:00", last="2026-07-01T03:30")
    assert await night.hours(20) == ["2026-07-05T12:01", "2026-07-06T03:30"]
    assert AFTER_START_S == 60.0


async def test_a_restart_within_the_day_repeats_nothing() -> None:
    assert await Night("2026-07-05T12:00", last="2026-07-05T03:30").hours(10) == []


async def test_a_time_that_is_less_than_a_day_missed_waits_for_the_next() -> None:
    night = Night("2026-07-05T04:00", last="2026-07-04T10:00")  # by hand, then
    assert await night.hours(24) == ["2026-07-06T03:30"]
    assert DAY_S == 86_400.0


async def test_a_clock_that_was_set_back_does_not_silence_it() -> None:
    assert await Night("2026-07-05T02:00", last="2027-01-01T03:30").hours(4) == ["2026-07-05T03:30"]


async def test_a_clock_that_is_set_forward_is_noticed_within_half_a_minute() -> None:
    night = Night("2026-07-05T02:00")
    keeping = asyncio.ensure_future(night.schedule.keep())
    await asyncio.sleep(10.0)
    night.offset_s += 2 * HOUR_S
    await asyncio.sleep(31.0)
    keeping.cancel()
    assert night.ran == ["2026-07-05T04:00"]


async def test_by_hand_it_runs_after_the_one_under_way() -> None:
    night = Night("2026-07-05T12:00")
    assert {*await asyncio.gather(night.schedule.run_now(), night.schedule.run_now())} == {"done"}
    assert len(night.remembered) == 2 and asyncio.get_running_loop().time() >= 10.0
