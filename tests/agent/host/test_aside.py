import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from guardian_agent.host.aside import MOST_IDLE, Aside


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Threads wait for it; it opens at the end of the test at the latest."""
    event = threading.Event()
    yield event
    event.set()


def threads() -> int:
    return sum(thread.name == "aside" for thread in threading.enumerate())


def answer_after(gate: threading.Event, asked: list[int]) -> Callable[[], int]:
    def answer() -> int:
        asked.append(len(asked))
        gate.wait()
        return asked[-1]

    return answer


async def test_an_answer_and_an_error_come_back_as_they_are() -> None:
    aside = Aside()
    assert await aside.ask("sum", lambda: 1 + 1) == 2
    with pytest.raises(ZeroDivisionError):
        await aside.ask("division", lambda: 1 // 0)


async def test_what_hangs_blocks_neither_the_loop_nor_other_questions(gate: threading.Event) -> None:
    aside = Aside()
    hanging = asyncio.ensure_future(aside.ask("dead disk", answer_after(gate, [])))
    assert await asyncio.wait_for(aside.ask("good disk", lambda: "fine"), 5) == "fine"
    assert not hanging.done()
    gate.set()
    assert await hanging == 0


async def test_a_question_that_hangs_has_one_thread_however_often_it_is_asked_and_given_up(
    gate: threading.Event,
) -> None:
    aside, asked = Aside(), list[int]()
    before = threads()
    for _ in range(20):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(aside.ask("dead disk", answer_after(gate, asked)), 0.01)
    assert threads() == before + 1 and asked == [0]


async def test_an_answer_is_never_older_than_the_question(gate: threading.Event) -> None:
    aside, asked = Aside(), list[int]()
    first = asyncio.ensure_future(aside.ask("file", answer_after(gate, asked)))
    await asyncio.sleep(0.01)
    second = [asyncio.ensure_future(aside.ask("file", answer_after(gate, asked))) for _ in range(2)]
    await asyncio.sleep(0.01)
    gate.set()
    assert await first == 0
    assert await asyncio.gather(*second) == [1, 1], "both began to wait before the second answer was begun"


async def test_a_thread_that_has_answered_answers_the_next_question_too() -> None:
    aside = Aside()
    assert len({await aside.ask(number, threading.get_ident) for number in range(50)}) == 1
    aside.close()


async def test_threads_that_nobody_needs_any_more_end(gate: threading.Event) -> None:
    aside, before = Aside(), set(threading.enumerate())

    def ours() -> int:
        return len(set(threading.enumerate()) - before)

    many = [asyncio.ensure_future(aside.ask(number, gate.wait)) for number in range(12)]
    await asyncio.sleep(0)
    assert ours() == 12
    gate.set()
    await asyncio.gather(*many)
    for left in (MOST_IDLE, 0):
        async with asyncio.timeout(5):
            while ours() > left:  # noqa: ASYNC110 - threads tell nobody that they end
                await asyncio.sleep(0.001)
        aside.close()


async def test_one_that_is_open_will_do_for_whoever_says_so(gate: threading.Event) -> None:
    aside, asked = Aside(), list[int]()
    both = [asyncio.ensure_future(aside.ask("name", answer_after(gate, asked), fresh=False)) for _ in range(2)]
    await asyncio.sleep(0.01)
    gate.set()
    assert await asyncio.gather(*both) == [0, 0] and asked == [0]


def test_what_hung_in_a_loop_that_is_closed_hangs_nobody_in_another(gate: threading.Event) -> None:
    aside = Aside()

    async def hang() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(aside.ask("file", gate.wait), 0.01)

    asyncio.run(hang())
    assert asyncio.run(asyncio.wait_for(aside.ask("file", lambda: "fine"), 5)) == "fine"


async def test_an_error_that_nobody_waits_for_any_more_is_not_reported(gate: threading.Event) -> None:
    aside = Aside()

    def fails() -> None:
        gate.wait()
        raise OSError("gone")

    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(aside.ask("dead disk", fails), 0.01)
    gate.set()
    await aside.ask("another", lambda: None)
    await asyncio.sleep(0.05)
    assert reported == []


def test_an_agent_that_ends_does_not_wait_for_what_hangs(gate: threading.Event) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Aside().ask("dead disk", gate.wait), 0.01)

    asyncio.run(main())
    assert not gate.is_set()
