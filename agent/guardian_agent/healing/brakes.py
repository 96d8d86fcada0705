"""How much may this host do to itself?"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import msgspec

from guardian_agent.model import Stamp

HOUR_S = 3600.0


class Actions(msgspec.Struct, frozen=True, kw_only=True):
    """When this host acted, within the last hour. Durable, so that a restart of the agent gives no new budget."""

    memory_kind: ClassVar = "brakes"
    at: tuple[Stamp, ...] = ()


class Brakes:
    """One action at a time on a host, and so many an hour."""

    def __init__(self, actions_per_hour: int, hold_file: Path, remember: Callable[[Actions], None]) -> None:
        self._actions_per_hour = actions_per_hour
        self._hold_file = hold_file
        self._remember = remember
        self._actions = Actions()
        self.acting_allowed = True  # the aggregator's last word
        self.draining = False  # the agent is stopping: what is in flight ends, and nothing more begins
        self.one_at_a_time = asyncio.Lock()

    def restore(self, actions: Actions | None) -> None:
        self._actions = actions or Actions()

    def refusal(self, now: Stamp) -> str:
        """Why nothing may be done on this host now; empty when something may."""
        if halted := self.halted():
            return halted
        recent = self._recent(now)
        if len(recent) >= self._actions_per_hour:
            return f"{len(recent)} actions within the last hour, and actions_per_hour is {self._actions_per_hour}"
        return ""

    def halted(self) -> str:
        """Why nothing may be changed on this host, whatever the budget; empty when it may."""
        return self._held_by_file() or ("" if self.acting_allowed else "the aggregator does not allow acting")

    def count(self, now: Stamp) -> None:
        """Takes one action off the hour's budget."""
        self._actions = Actions(at=(*self._recent(now), now))
        self._remember(self._actions)

    def _held_by_file(self) -> str:
        try:
            self._hold_file.lstat()
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"the hold file {self._hold_file} cannot be looked for: {error.strerror}"
        return f"the hold file {self._hold_file} is there"

    def _recent(self, now: Stamp) -> tuple[Stamp, ...]:
        return tuple(action for action in self._actions.at if now.seconds_since(action) < HOUR_S)
