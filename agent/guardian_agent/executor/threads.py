"""Which threads does which work have, so that none that hangs keeps the others from theirs?"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")

CLEANUP_S = 5.0  # what was given up may kill its programs and let go of its files


class Work(Enum):
    """What a thread is for, and how many there are of that kind."""

    AUDIT = 1  # one, since lines are in order
    POLICY = 2
    OPERATION = 4
    UNDO = 3
    QUESTION = 8


_work: ContextVar[Work] = ContextVar("work", default=Work.OPERATION)


@contextlib.contextmanager
def work_of(kind: Work) -> Iterator[None]:
    """What `asyncio.to_thread` is given in here, and by tasks that begin in here, is of this kind."""
    token = _work.set(kind)
    try:
        yield
    finally:
        _work.reset(token)


async def ended(work: Coroutine[Any, Any, T], within_s: float) -> asyncio.Task[T] | None:
    """The work as it ended, with its result or its error, whichever; None when it did not end within that time. A
    thread may still be at it then."""
    task = asyncio.get_running_loop().create_task(work)
    done, _ = await asyncio.wait({task}, timeout=within_s)
    if not done:
        task.cancel()
        await asyncio.wait({task}, timeout=CLEANUP_S)
        return None
    return task


class Threads(ThreadPoolExecutor):
    """A loop's default executor that has threads of their own for each kind of work.

    A stat(2) of a file on a server that is gone can hang for ever, and nothing ends a thread. So a kind that hangs is
    left with what threads it has, and the others go on.
    """

    def __init__(self) -> None:
        super().__init__(max_workers=1)
        self._pools = {kind: _Pool(kind) for kind in Work}

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """As an executor's; the kind is the caller's."""
        return self._pools[_work.get()].submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As an executor's."""
        for pool in self._pools.values():
            pool.shutdown(wait=wait, cancel_futures=cancel_futures)
        super().shutdown(wait=wait, cancel_futures=cancel_futures)

    def all_hang(self, kind: Work, longer_than_s: float) -> bool:
        """Whether every thread of a kind has been at one thing for so long."""
        return self._pools[kind].hanging(longer_than_s) >= kind.value

    def any_works(self) -> bool:
        """Whether a thread is at something: an ordinary end of the process would wait for it."""
        return any(pool.hanging(0.0) for pool in self._pools.values())


class _Pool(ThreadPoolExecutor):
    def __init__(self, kind: Work) -> None:
        super().__init__(max_workers=kind.value, thread_name_prefix=kind.name.lower())
        self._since: dict[int, float] = {}

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        def noted() -> T:
            me = threading.get_ident()
            self._since[me] = time.monotonic()
            try:
                return fn(*args, **kwargs)
            finally:
                del self._since[me]

        return super().submit(noted)

    def hanging(self, longer_than_s: float) -> int:
        now_s = time.monotonic()
        return sum(now_s - since_s >= longer_than_s for since_s in list(self._since.values()))
