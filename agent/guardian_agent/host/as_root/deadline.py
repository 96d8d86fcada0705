"""How is what runs in a thread ended in time, so that the answer about it is true?

A thread cannot be stopped from outside. So it asks, between two parts and right before each effect, whether it may go
on; and nobody is answered before it has really ended. One that hangs in the kernel does not end: whoever waits for it
gives it up, and has to take it as unknown.
"""

import asyncio
import math
import threading
import time
from collections.abc import Callable

from guardian_agent.errors import GuardianError, OperationError, ProbeError, RefusedOperationError

ENDS_WITHIN_S = 5.0  # a thread that is told to end, and does not hang


class TooLateError(GuardianError):
    """The time is over: nothing more is done."""


class Deadline:
    """Until when a thread may go on; it can be over before its time."""

    def __init__(self, limit_s: float) -> None:
        self._ends_s = time.monotonic() + limit_s
        self._over = threading.Event()

    def expire(self) -> None:
        """Ends it now, from whichever thread."""
        self._over.set()

    @property
    def passed(self) -> bool:
        return self._over.is_set() or time.monotonic() > self._ends_s

    def check(self) -> None:
        """Raises TooLateError once it has passed."""
        if self.passed:
            raise TooLateError("the time is over")


ENDLESS = Deadline(math.inf)


async def carry_out(shown: str, change: Callable[[Deadline], None], limit_s: float) -> None:
    """Has a thread make a change, and returns or raises when it has ended: it has then made the change, or never will.
    Who does not wait any longer, by cancelling this, has to take it as unknown, unless it ends within some seconds.

    Raises:
        RefusedOperationError: the change raised ValueError or ProbeError.
        OperationError: it raised OSError, or was not done within `limit_s`; what it raised of our own goes through.
    """
    deadline = Deadline(limit_s)
    thread = asyncio.ensure_future(asyncio.to_thread(change, deadline))
    try:
        await asyncio.shield(thread)
    except asyncio.CancelledError:
        deadline.expire()
        await asyncio.wait((thread,), timeout=ENDS_WITHIN_S)
        if thread.done() and not thread.cancelled():
            thread.exception()  # nobody asks for it any more
        raise
    except TooLateError as error:
        raise OperationError(f"{shown}: not done within {limit_s:g} s") from error
    except (ValueError, ProbeError) as error:
        raise RefusedOperationError(f"{shown}: {error}") from error
    except OSError as error:
        raise OperationError(f"{shown}: {error.strerror or error}") from error
