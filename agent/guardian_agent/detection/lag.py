"""How late did the event loop run its timers while something was under way?"""

import asyncio
from typing import Self


class Lag:
    """Measures while it is entered: a timer that is due every `step_s`, and by how much the latest one came too late.

    What blocked the loop, or kept the whole process from running, shows in it; a look of that time tells of the agent
    and not of what it looked at.
    """

    def __init__(self, step_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._step_s = step_s
        self._due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.worst_s = 0.0

    def __enter__(self) -> Self:
        self._arm()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._note()

    def _arm(self) -> None:
        self._due_s = self._loop.time() + self._step_s
        self._timer = self._loop.call_at(self._due_s, self._tick)

    def _tick(self) -> None:
        self._note()
        self._arm()

    def _note(self) -> None:
        self.worst_s = max(self.worst_s, self._loop.time() - self._due_s)
