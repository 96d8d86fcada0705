import asyncio
import contextlib
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
from tests.agent.virtual_time import VirtualTimeLoop, in_virtual_time

from guardian_agent.model import SelfHealth
from guardian_agent.runtime.self_health import Process, SelfMeasurement


def virtually(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a test in virtual time, which its neighbours do not."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        in_virtual_time(test(**fixtures))

    return run


class Counted:
    looks = looks_unknown = looks_late = 0


class FakeProcess(Process):
    """Uses what a test says."""

    used_s = waited_s = 0.0

    def cpu_s(self) -> float:
        return self.used_s

    def resident_bytes(self) -> int:
        return 41_000_000

    def newly_waited_s(self) -> float:
        waited, self.waited_s = self.waited_s, 0.0
        return waited


class Scene:
    def __init__(self) -> None:
        self.looks = Counted()
        self.process = FakeProcess()
        self.said: list[SelfHealth] = []
        self.measurement = SelfMeasurement(self.looks, self.said.append, process=self.process)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.measurement.run())
        await asyncio.sleep(0.5)
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def block(seconds: float) -> None:
    """The loop stands still for so long."""
    cast(VirtualTimeLoop, asyncio.get_running_loop())._jumping.now += seconds


@virtually
async def test_once_a_minute_it_says_what_the_agent_used_in_that_minute() -> None:
    scene = Scene()
    scene.looks.looks, scene.process.used_s, scene.process.waited_s = 5000, 100.0, 100.0  # before it began
    async with scene.running():
        scene.looks.looks, scene.looks.looks_unknown, scene.looks.looks_late = 5840, 3, 1
        scene.process.used_s, scene.process.waited_s = 100.06, 0.25
        await asyncio.sleep(60.0)
        (first,) = scene.said
        assert [first.over_s, first.cpu_s] == pytest.approx([60.0, 0.06])
        assert (first.resident_bytes, first.waited_for_cpu_s) == (41_000_000, 0.25)
        assert (first.looks, first.looks_unknown, first.looks_late) == (840, 3, 1)
        await asyncio.sleep(60.0)
        assert len(scene.said) == 2 and scene.measurement.last is scene.said[1]
        assert (scene.said[1].cpu_s, scene.said[1].waited_for_cpu_s, scene.said[1].looks) == (0.0, 0.0, 0)


@virtually
async def test_the_longest_block_is_the_lag_of_its_minute_and_of_no_other() -> None:
    scene = Scene()
    async with scene.running():
        block(3.0)
        await asyncio.sleep(20.0)
        block(1.2)
        await asyncio.sleep(100.0)
        assert [health.loop_lag_worst_s for health in scene.said] == pytest.approx([2.5, 0.0], abs=0.01)


@virtually
async def test_it_wakes_the_processor_up_no_more_than_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    sleeps: list[float] = []
    sleep = asyncio.sleep

    async def counted(delay_s: float) -> None:
        sleeps.append(delay_s)
        await sleep(delay_s)

    async with scene.running():
        monkeypatch.setattr(asyncio, "sleep", counted)
        await sleep(59.0)
        monkeypatch.undo()
    assert len(sleeps) <= 60 and sum(sleeps) == pytest.approx(59.0, abs=1.5)


def test_the_kernel_says_what_this_process_uses() -> None:
    process = Process()
    before_s = process.cpu_s()
    while process.cpu_s() < before_s + 0.01:
        pass
    held = bytearray(50 << 20)
    assert 50 << 20 < process.resident_bytes() < 4 << 30
    del held
    process.newly_waited_s()
    assert 0.0 <= process.newly_waited_s() < 1.0


def test_every_thread_counts(tmp_path: Path) -> None:
    process = Process()
    process.newly_waited_s()
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    assert str(thread.native_id) in process._by_thread()
    stop.set()
    thread.join()


def counted(folder: Path, **waited_ns: int) -> None:
    for thread, waited in waited_ns.items():
        (folder / "task" / thread).mkdir(parents=True, exist_ok=True)
        (folder / "task" / thread / "schedstat").write_text(f"5000 {waited} 17\n")


def test_a_thread_that_ended_or_took_anothers_number_takes_nothing_away(tmp_path: Path) -> None:
    process = Process(tmp_path)
    counted(tmp_path, first=10_000_000_000, second=4_000_000_000)
    process.newly_waited_s()
    counted(tmp_path, first=11_000_000_000, second=500_000_000, third=250_000_000)
    assert process.newly_waited_s() == pytest.approx(1.75)
    (tmp_path / "task" / "second" / "schedstat").unlink()
    assert process.newly_waited_s() == 0.0


def test_what_the_kernel_does_not_say_is_nothing(tmp_path: Path) -> None:
    process = Process(tmp_path)
    assert (process.resident_bytes(), process.newly_waited_s()) == (0, 0.0)
