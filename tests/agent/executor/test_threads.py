"""A thread that hangs keeps nobody else from work."""

import asyncio
import threading

import pytest
from tests.agent.executor.fakes import until

from guardian_agent.executor.threads import Threads, Work, ended, work_of


@pytest.fixture
def let_go():
    return threading.Event()


async def test_each_kind_of_work_has_its_threads_though_all_of_another_hang(let_go):
    threads = Threads()
    asyncio.get_running_loop().set_default_executor(threads)
    with work_of(Work.QUESTION):
        for _ in range(20):
            assert await ended(asyncio.to_thread(let_go.wait), 0.01) is None
    try:
        assert threads.all_hang(Work.QUESTION, 0.0)
        assert threads.any_works()
        for kind in set(Work) - {Work.QUESTION}:
            with work_of(kind):
                assert await asyncio.wait_for(asyncio.to_thread(threading.current_thread), 5.0)
            assert not threads.all_hang(kind, 0.0)
    finally:
        let_go.set()


async def test_what_has_ended_hangs_no_more(let_go):
    threads = Threads()
    asyncio.get_running_loop().set_default_executor(threads)
    with work_of(Work.AUDIT):
        waiting = asyncio.create_task(asyncio.to_thread(let_go.wait))
        await until(lambda: threads.all_hang(Work.AUDIT, 0.0))
    try:
        assert not threads.all_hang(Work.AUDIT, 60.0)
    finally:
        let_go.set()
    await waiting
    assert not threads.any_works()


async def test_an_error_is_an_end_and_whoever_takes_too_long_is_told_to_stop():
    async def fails() -> None:
        raise KeyError("oh")

    stopped = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    task = await ended(fails(), 1.0)
    assert task is not None
    assert isinstance(task.exception(), KeyError)
    assert await ended(slow(), 0.01) is None
    assert stopped.is_set()
