"""What is taken back by itself, when the agent that did it is not heard of again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from guardian_agent.host.executor_wire import ARMED_S
from guardian_agent.host.operations import RootOperation

MOST_ARMED = 1000

log = logging.getLogger(__name__)


class Arming:
    """Undos that wait, by the token of whoever armed them.

    An agent may die between a change that cuts its host off and the look that would show it: nobody could come to mend
    that. So such a change is armed before it is made.
    """

    def __init__(self, take_back: Callable[[RootOperation], Awaitable[None]], *, armed_s: float = ARMED_S) -> None:
        """`take_back` carries out one undo, and raises nothing that is not to be logged."""
        self._take_back = take_back
        self._armed_s = armed_s
        self._undos: dict[str, list[RootOperation]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._working: set[asyncio.Task[None]] = set()

    @property
    def is_waiting(self) -> bool:
        """Whether something is armed, or being taken back."""
        return bool(self._undos or self._working)

    def arm(self, token: str, undo: RootOperation) -> None:
        """From now on `undo` is done unless the token is heard of. Raises ValueError when too much is armed."""
        if sum(map(len, self._undos.values())) >= MOST_ARMED:
            raise ValueError(f"{MOST_ARMED} changes are armed already")
        self._undos.setdefault(token, []).append(undo)
        self.renew(token)

    def drop_newest(self, token: str) -> None:
        """The change that was armed last was not made."""
        undos = self._undos.get(token, [])
        if undos:
            undos.pop()
        if not undos:
            self.disarm(token)

    def renew(self, token: str) -> None:
        """Whoever armed it has been heard of. A token that is not known is nobody's, and changes nothing."""
        if token not in self._undos:
            return
        if timer := self._timers.pop(token, None):
            timer.cancel()
        self._timers[token] = asyncio.get_running_loop().call_later(self._armed_s, self._expire, token)

    def disarm(self, token: str = "") -> None:
        """What it armed may stay; without a token, whatever is armed."""
        for one in [token] if token else list(self._undos):
            self._undos.pop(one, None)
            if timer := self._timers.pop(one, None):
                timer.cancel()

    async def settle(self) -> None:
        """Returns when nothing is being taken back any more."""
        while self._working:
            await asyncio.wait(set(self._working))

    def _expire(self, token: str) -> None:
        self._timers.pop(token, None)
        undos = self._undos.pop(token, [])
        log.warning("nothing was heard for %g s of whoever changed the network: it is taken back", self._armed_s)
        task = asyncio.get_running_loop().create_task(self._take_all_back(undos), name="take back")
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _take_all_back(self, undos: list[RootOperation]) -> None:
        for undo in reversed(undos):
            await self._take_back(undo)
