import asyncio
import os
import threading
import time
from collections.abc import Callable

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import URL, WEB, nginx, running

from guardian_agent.detection.starvation import Starvation, _opened, waited_for_cpu_s
from guardian_agent.host import Answer
from guardian_agent.model import Mode

REFUSED = Answer(connected=False, refused=True)


def test_it_tells_what_the_thread_waited_meanwhile() -> None:
    counts = iter([10.0, 10.75])
    with Starvation(lambda: next(counts)) as starvation:
        pass
    assert starvation.waited_s == 0.75


def test_the_kernel_counts_what_a_thread_waits_for_a_processor_that_another_one_has() -> None:
    waited: list[float] = []

    def compete() -> None:
        with Starvation() as starvation:
            until = time.thread_time() + 0.2
            while time.thread_time() < until:
                pass
        waited.append(starvation.waited_s)

    processor = {min(os.sched_getaffinity(0))}

    def pinned(work: Callable[[], None]) -> None:
        os.sched_setaffinity(threading.get_native_id(), processor)
        work()

    # Threads of Python share one lock, so the rival is a process.
    rival = os.fork()
    if rival == 0:
        os.sched_setaffinity(0, processor)
        while True:
            pass
    try:
        thread = threading.Thread(target=pinned, args=(compete,))
        thread.start()
        thread.join()
    finally:
        os.kill(rival, 9)
        os.waitpid(rival, 0)
    assert 0.05 < waited[0] < 5.0


def test_a_kernel_that_does_not_count_is_no_starvation(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr("guardian_agent.detection.starvation._TASKS", str(tmp_path))
    _opened.cache_clear()
    assert waited_for_cpu_s() == 0.0


@pytest.mark.parametrize(("waits_s", "opens"), [(0.0, True), (0.1, True), (1.5, False)])
async def test_a_bad_look_during_which_the_agent_itself_starved_says_nothing(
    waits_s: float, opens: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = FakeHost()
    nginx(host)
    waited_s = 0.0

    async def starving(url: str, timeout_s: float) -> Answer:
        nonlocal waited_s
        waited_s += waits_s
        return REFUSED

    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        scheduler = scene.agent.incidents.scheduler
        scheduler._waited_s = lambda: waited_s
        late_before = scheduler.looks_late
        monkeypatch.setattr(host.sockets, "http_get", starving)
        await asyncio.sleep(30.0)
        assert bool(scene.incidents) is opens
        look = scheduler.watches["l7_http/web"].last_look
        assert look is not None and ("1.50 s for a processor" in look.unknown) is not opens
        assert (scheduler.looks_late > late_before) is not opens


async def test_a_look_at_kernel_state_counts_however_starved_the_agent_is() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        clock = iter(range(1_000_000))
        scene.agent.incidents.scheduler._waited_s = lambda: float(next(clock))
        host.sockets.answers[URL] = REFUSED
        await asyncio.sleep(30.0)
        assert scene.incidents == []
        unit.crash()
        await asyncio.sleep(5.0)
        assert [incident.issue_type for incident in scene.incidents] == ["service_failed"]
