import asyncio
import time

from tests.agent.virtual_time import in_virtual_time

from guardian_agent.executor.audit import KEPT, LINE_LIMIT, SIZE, Entry, _line
from guardian_agent.executor.pace import BURST, PER_SECOND, Pace
from guardian_agent.host.executor_wire import REQUEST_LIMIT
from guardian_agent.host.operations import WriteLink, WriteSysctl, to_json


def seconds_to_push_out(bytes_a_request: int) -> float:
    """Until a line that was the last one of its file is gone: its file is the oldest then, and all the others are full,
    but for a line that had no room in them."""
    requests = (KEPT - 1) * (SIZE - LINE_LIMIT) / bytes_a_request
    return (requests - BURST) / PER_SECOND


def size(operation: WriteLink | WriteSysctl) -> int:
    what, error, request = operation.describe(), "e" * 300, to_json(operation)
    entry = Entry(id="a" * 12, uid=2**32 - 1, pid=2**22, outcome="begun", what=what, error=error, request=request)
    return len(_line(entry))


def test_the_worst_requests_take_more_than_half_an_hour_to_push_a_line_out() -> None:
    worst = max(size(WriteLink("/etc/" + c * (REQUEST_LIMIT // 20), "y")) for c in ("a", "\x01", "€", "\U0001f600"))
    assert worst <= LINE_LIMIT
    assert seconds_to_push_out(2 * LINE_LIMIT) > 1800.0  # a line when it begins, and one when it ends


def test_ordinary_requests_take_hours() -> None:
    assert seconds_to_push_out(2 * size(WriteSysctl("net.core.somaxconn", "4096"))) > 2 * 3600.0


def test_a_burst_is_let_through_and_what_comes_after_waits(monkeypatch) -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(time, "monotonic", loop.time)
        pace = Pace(burst=3, per_second=20.0)
        began_s = loop.time()
        for _ in range(3):
            await pace.wait()
        assert loop.time() == began_s
        await asyncio.gather(pace.wait(), pace.wait())
        assert 0.09 < loop.time() - began_s < 0.11

    in_virtual_time(story())


def test_what_was_not_used_is_there_later_but_no_more_than_a_burst(monkeypatch) -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(time, "monotonic", loop.time)
        pace = Pace(burst=2, per_second=1000.0)
        await asyncio.sleep(60.0)
        began_s = loop.time()
        for _ in range(50):
            await pace.wait()
        assert loop.time() - began_s > 0.04

    in_virtual_time(story())
