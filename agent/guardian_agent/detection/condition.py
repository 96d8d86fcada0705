"""What state is a probe in over time: how many looks in a row decide?"""

import msgspec

from guardian_agent.detection.flaps import Flaps
from guardian_agent.model import ConditionState, Reading, Stamp


class Change(msgspec.Struct, frozen=True):
    """A condition went over into another state; `since` is the first look of the streak that decided."""

    from_state: ConditionState
    to_state: ConditionState
    since: Stamp


class Condition:
    """`failing` after `fall` bad looks in a row, `ok` after `rise` good ones; a look that could not tell changes
    nothing.

    With `flaps`, one that keeps falling must stay good for some seconds more before it is `ok`: on probation.

    Pure: it is told what was seen and when, and has no clock of its own.
    """

    def __init__(self, fall: int, rise: int, flaps: Flaps | None = None) -> None:
        self._fall = fall
        self._rise = rise
        self._flaps = flaps
        self.state = ConditionState.UNKNOWN
        self.decided = ConditionState.UNKNOWN  # by `fall` and `rise` alone: `ok` already while on probation
        self.turned_good = False  # by the last look, and by `rise` alone
        self.probation_left_s = 0.0  # as of the last look
        self.last_reading: Reading | None = None
        self.last_good_at: Stamp | None = None
        self.last_good_reading: Reading | None = None
        self.streak_since: Stamp | None = None
        self._streak = 0
        self._streak_ok = True

    @property
    def undecided(self) -> bool:
        """The last looks contradict the state, and not enough of them have come yet."""
        return self._streak > 0 and self.decided != (ConditionState.OK if self._streak_ok else ConditionState.FAILING)

    @property
    def on_probation(self) -> bool:
        """It is good again by `rise`, and has only to stay so for a while."""
        return self.decided == ConditionState.OK and self.state != ConditionState.OK

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
        self.turned_good = reading.ok and self._streak >= needed and self.decided != ConditionState.OK
        if self._streak >= needed and (reading.ok or may_fail):
            self._decide(target, at)
        self.probation_left_s = self._left_s(at) if self.on_probation else 0.0
        if self.state == self.decided or self.probation_left_s > 0 or target != self.decided or self._streak < needed:
            return None
        change = Change(self.state, target, self.streak_since or at)
        self.state = target
        return change

    def _decide(self, target: ConditionState, at: Stamp) -> None:
        if self._flaps and self.decided == ConditionState.OK and target == ConditionState.FAILING:
            self._flaps.fell(at)
        self.decided = target

    def _left_s(self, at: Stamp) -> float:
        """How many seconds more it must stay good: the flaps' word at the first good look holds for the streak."""
        since = self.streak_since or at
        return max(0.0, self._flaps.steady_s(since) - at.seconds_since(since)) if self._flaps else 0.0

    def forget(self) -> None:
        """What was seen until now decides nothing: it begins anew."""
        self.state = self.decided = ConditionState.UNKNOWN
        self._flaps = Flaps() if self._flaps else None
        self._streak = 0

    def restore_failing(self) -> None:
        """Takes up a failing state from before the agent's restart: only `rise` good looks end it."""
        self.state = self.decided = ConditionState.FAILING
        self._streak = 0
