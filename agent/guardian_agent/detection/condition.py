"""What state is a probe in over time: how many looks in a row decide?"""

import msgspec

from guardian_agent.model import ConditionState, Reading, Stamp


class Change(msgspec.Struct, frozen=True):
    """A condition went over into another state; `since` is the first look of the streak that decided."""

    from_state: ConditionState
    to_state: ConditionState
    since: Stamp


class Condition:
    """`failing` after `fall` bad looks in a row, `ok` after `rise` good ones; a look that could not tell changes
    nothing.

    Pure: it is told what was seen and when, and has no clock of its own.
    """

    def __init__(self, fall: int, rise: int) -> None:
        self._fall = fall
        self._rise = rise
        self.state = ConditionState.UNKNOWN
        self.last_reading: Reading | None = None
        self.last_good_at: Stamp | None = None
        self.last_good_reading: Reading | None = None
        self.streak_since: Stamp | None = None
        self._streak = 0
        self._streak_ok = True

    @property
    def undecided(self) -> bool:
        """The last looks contradict the state, and not enough of them have come yet."""
        return self._streak > 0 and self.state != (ConditionState.OK if self._streak_ok else ConditionState.FAILING)

    @property
    def looks_bad(self) -> bool:
        """The last look that could tell was a bad one, confirmed or not."""
        return self.last_reading is not None and not self.last_reading.ok

    def observe(self, reading: Reading, at: Stamp, *, may_fail: bool = True) -> Change | None:
        """Takes in one look that could tell. With `may_fail` false, bad looks are counted and decide nothing yet."""
        if self._streak == 0 or reading.ok != self._streak_ok:
            self._streak, self._streak_ok, self.streak_since = 0, reading.ok, at
        self._streak += 1
        self.last_reading = reading
        if reading.ok:
            self.last_good_at, self.last_good_reading = at, reading
        target = ConditionState.OK if reading.ok else ConditionState.FAILING
        needed = self._rise if reading.ok else self._fall
        if self.state == target or self._streak < needed or not (reading.ok or may_fail):
            return None
        change = Change(self.state, target, self.streak_since or at)
        self.state = target
        return change

    def forget(self) -> None:
        """What was seen until now decides nothing: it begins anew."""
        self.state = ConditionState.UNKNOWN
        self._streak = 0

    def restore_failing(self) -> None:
        """Takes up a failing state from before the agent's restart: only `rise` good looks end it."""
        self.state = ConditionState.FAILING
        self._streak = 0
