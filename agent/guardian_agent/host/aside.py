"""How is something asked that may never answer?"""

import asyncio
import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Aside:
    """Asks in threads what the kernel may take for ever over: a disk that is dead, a server that is gone.

    A thread that hangs there can only be left behind, so a question that is still open is not asked a second time. The
    threads are daemons: the default executor's would keep a stopped agent from ending.
    """

    def __init__(self) -> None:
        self._open: dict[Hashable, asyncio.Future[Any]] = {}

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
        threading.Thread(target=_answer, args=(loop, future, answer), name="aside", daemon=True).start()
        return future


def _answer(loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], answer: Callable[[], Any]) -> None:
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

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:  # the loop was closed meanwhile: nobody waits any more
        return
