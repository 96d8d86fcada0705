"""An event loop whose time jumps: what sleeps for an hour sleeps for no time at all, and in the right order."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

NOTHING_COMES_S = 5.0  # real seconds without a timer, or anything to read, after which a test is taken as stuck


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting for the next timer it moves the clock to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0  # not 0: a time of 0 would hide a mistaken "or"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            if not (ready := super().select(NOTHING_COMES_S)):
                raise RuntimeError("no timer is set and nothing is to come: everybody waits for ever")
            return ready
        ready = super().select(0)
        if not ready:
            self.now += max(0.0, timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Plain asyncio, but that `time()` is virtual. Threads and sockets work; only waiting is free."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end on a loop of its own, for tests that are no coroutines themselves."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


async def moment() -> None:
    """Lets everything run that can run now, before any time passes."""
    for _ in range(20):
        await asyncio.sleep(0)
