"""How is something asked that may never answer?"""

import asyncio
import threading
from collections.abc import Callable, Hashable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
MOST_IDLE = 2  # threads that wait for a question

_Question = tuple[asyncio.AbstractEventLoop, asyncio.Future[Any], Callable[[], Any]]


class Aside:
    """Asks in threads what the kernel may take for ever over: a disk that is dead, a server that is gone.

    A thread that hangs there can only be left behind, so a question that is still open is not asked a second time. One
    that has answered waits for the next question, since to start a thread costs more than most answers. The threads are
    daemons: the default executor's would keep a stopped agent from ending.
    """

    def __init__(self) -> None:
        self._open: dict[Hashable, asyncio.Future[Any]] = {}
        self._idle: list[_Worker] = []
        self._closed = False

    def close(self) -> None:
        """Ends the threads that wait for a question; those that answer end afterwards."""
        self._closed = True
        while self._idle:
            self._idle.pop().questions.put(None)

    async def ask(self, question: Hashable, answer: Callable[[], T], *, fresh: bool = True) -> T:
        """What `answer()` returns or raises; `question` tells it from others.

        `fresh`: it is begun after this call; else one that is still open will do.
        """
        ours = asyncio.get_running_loop(), question  # a loop that was closed never hears the end of its questions
        if fresh and (earlier := self._open.get(ours)) is not None:
            await asyncio.wait([earlier])
        begun = self._open.get(ours) or self._begin(ours, answer)
        found: T = await asyncio.shield(begun)
        return found

    def _begin(self, question: Hashable, answer: Callable[[], Any]) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._open[question] = future

        def closed(done: asyncio.Future[Any]) -> None:
            del self._open[question]
            if not done.cancelled():
                done.exception()  # everybody who asked may have given up, and then nobody else reads it

        future.add_done_callback(closed)
        worker = self._idle.pop() if self._idle else _Worker(self._back)
        worker.questions.put((loop, future, answer))
        return future

    def _back(self, worker: "_Worker") -> None:
        """A worker has answered. Called in the loop."""
        if len(self._idle) < MOST_IDLE and not self._closed:
            self._idle.append(worker)
        else:
            worker.questions.put(None)


class _Worker:
    """One thread, and the questions that it is given; None ends it."""

    def __init__(self, back: Callable[["_Worker"], None]) -> None:
        self.questions: SimpleQueue[_Question | None] = SimpleQueue()
        self._back = back
        threading.Thread(target=self._run, name="aside", daemon=True).start()

    def _run(self) -> None:
        while (question := self.questions.get()) is not None:
            loop, future, answer = question
            settle = _answered(future, answer)

            def settle_and_return(settle: Callable[[], None] = settle) -> None:
                settle()
                self._back(self)

            try:
                loop.call_soon_threadsafe(settle_and_return)
            except RuntimeError:  # the loop was closed meanwhile: nobody waits any more
                return


def _answered(future: asyncio.Future[Any], answer: Callable[[], Any]) -> Callable[[], None]:
    """Answers, and tells how the future is to be settled in its loop."""
    found: Any = None
    failure: Exception | None = None
    try:
        found = answer()
    except Exception as error:  # noqa: BLE001 - raised again where it was asked for
        failure = error

    def settle() -> None:
        if future.done():
            return
        if failure is None:
            future.set_result(found)
        else:
            future.set_exception(failure)

    return settle
