"""What is taken back by itself, when the agent that did it is not heard of again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from guardian_agent.host.executor_wire import ARMED_S
from guardian_agent.host.operations import RootOperation

MOST_ARMED = 100
MOST_BYTES = 4 * 1024 * 1024  # of all that is armed
MOST_S = 300.0  # from the first change to the word that all of it may stay, whoever is heard of in between
LONGEST_TOKEN = 64
REMEMBERED = 100  # tokens of which it is known how they ended

log = logging.getLogger(__name__)


class _Net:
    """What one token has armed."""

    def __init__(self, ends_at_s: float) -> None:
        self.ends_at_s = ends_at_s
        self.undos: list[RootOperation] = []
        self.timer: asyncio.TimerHandle | None = None

    def cancel(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


class Arming:
    """Undos that wait, by the token of whoever armed them.

    An agent may die between a change that cuts its host off and the look that would show it: nobody could come to mend
    that. So such a change is armed before it is made.
    """

    def __init__(
        self,
        take_back: Callable[[RootOperation], Awaitable[None]],
        *,
        armed_s: float = ARMED_S,
        note: Callable[[list[RootOperation]], None] = lambda _: None,
    ) -> None:
        """`take_back` carries out one undo, and raises nothing; `note` is told of all that is not taken back yet, the
        oldest first, whenever that is something else."""
        self._take_back = take_back
        self._note = note
        self._armed_s = armed_s
        self._nets: dict[str, _Net] = {}
        self._ends: dict[str, str] = {}  # why what a token had armed was taken back; empty: it was kept
        self._working: set[asyncio.Task[None]] = set()
        self._undoing: list[RootOperation] = []
        self._closed = False

    @property
    def is_waiting(self) -> bool:
        """Whether something is armed, or being taken back."""
        return bool(self._nets or self._working)

    def refusal(self, token: str, undo: RootOperation, earlier: int) -> str:
        """Why it is not armed; empty when it is. `earlier`: how many the token is to have armed before."""
        if not 0 < len(token) <= LONGEST_TOKEN:
            return f"what is armed needs a token of 1 to {LONGEST_TOKEN} characters"
        if self._closed:
            return "the executor is about to end, and arms nothing more"
        if gone := self.gone(token):
            return gone
        if token in self._ends or len(self._undos(token)) != earlier:
            return "what the same token armed before is not armed any more"
        armed = [undo, *(each for net in self._nets.values() for each in net.undos)]
        if len(armed) > MOST_ARMED:
            return f"{MOST_ARMED} changes are armed already"
        if sum(len(msgspec.json.encode(each)) for each in armed) > MOST_BYTES:
            return f"what is armed takes more than {MOST_BYTES} bytes"
        return ""

    def arm(self, token: str, undo: RootOperation, *, most_s: float = MOST_S) -> None:
        """From now on `undo` is done unless the token is heard of, and `most_s` seconds after its first one anyway.
        Nothing may stand against it: see `refusal`."""
        if token not in self._nets:
            self._nets[token] = _Net(asyncio.get_running_loop().time() + most_s)
        self._nets[token].undos.append(undo)
        self._tell()
        self.renew(token)

    def drop_newest(self, token: str) -> None:
        """The change that was armed last was not made."""
        if undos := self._undos(token):
            undos.pop()
            if not undos:
                self._nets.pop(token).cancel()
            self._tell()

    def gone(self, token: str) -> str:
        """Why what a token had armed is not armed any more, nor kept; empty for one that is not known at all."""
        return self._ends.get(token, "")

    def renew(self, token: str) -> bool:
        """Whoever armed it has been heard of. Whether there is something armed by that token."""
        if (net := self._nets.get(token)) is None:
            return False
        net.cancel()
        loop = asyncio.get_running_loop()
        if (at_s := loop.time() + self._armed_s) < net.ends_at_s:
            reason = f"nothing was heard for {self._armed_s:g} s of whoever changed the network"
        else:
            at_s, reason = net.ends_at_s, "whoever changed the network has not said in time that it may stay"
        net.timer = loop.call_at(at_s, self._expire, token, reason)
        return True

    def disarm(self, token: str) -> bool:
        """What it armed may stay. Whether that is so: no, where it was taken back or is not known."""
        if (net := self._nets.pop(token, None)) is None:
            return self._ends.get(token) == ""
        net.cancel()
        self._remember(token, "")
        self._tell()
        return True

    def disarm_all(self) -> None:
        """Whatever is armed may stay."""
        for token in list(self._nets):
            self.disarm(token)

    def take_back(self, undos: list[RootOperation]) -> None:
        """Begins to take these back, the newest first."""
        self._undoing += undos
        task = asyncio.get_running_loop().create_task(self._take_all_back(undos), name="take back")
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    def close(self) -> None:
        """Takes back at once whatever is armed, and arms nothing more."""
        self._closed = True
        for token in list(self._nets):
            self._expire(token, "the executor ended before anybody said that it may stay")

    async def settle(self) -> None:
        """Returns when nothing is being taken back any more."""
        while self._working:
            await asyncio.wait(set(self._working))

    def _undos(self, token: str) -> list[RootOperation]:
        return self._nets[token].undos if token in self._nets else []

    def _remember(self, token: str, end: str) -> None:
        self._ends[token] = end
        while len(self._ends) > REMEMBERED:
            self._ends.pop(next(iter(self._ends)))

    def _expire(self, token: str, reason: str) -> None:
        net = self._nets.pop(token)
        net.cancel()
        self._remember(token, f"{reason}: it was taken back")
        log.warning("%s: it is taken back", reason)
        self.take_back(net.undos)

    async def _take_all_back(self, undos: list[RootOperation]) -> None:
        for undo in reversed(undos):
            await self._take_back(undo)
            self._undoing.remove(undo)
            self._tell()

    def _tell(self) -> None:
        self._note([*self._undoing, *(undo for net in self._nets.values() for undo in net.undos)])
