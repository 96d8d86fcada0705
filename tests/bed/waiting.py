"""Waits for something to become true, with a deadline and a name for what was waited for."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(ask: Callable[[], Awaitable[T]], what: str, *, within_s: float, every_s: float = 0.05) -> T:
    """Asks again every `every_s` seconds until the answer is true, and returns it.

    Raises:
        TimeoutError: still not true after `within_s` seconds; the message holds `what` and the last answer.
    """
    deadline = time.monotonic() + within_s
    while not (answer := await ask()):
        if time.monotonic() >= deadline:
            raise TimeoutError(f"not within {within_s:g} s: {what} (last answer: {answer!r})")
        await asyncio.sleep(every_s)
    return answer
