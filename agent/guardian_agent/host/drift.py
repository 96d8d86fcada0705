"""Was the time of day set lately?"""

from guardian_agent.model import Stamp

SLEWED_S = 0.1  # from look to look; disciplining a clock moves it by 0.5 ms a second (adjtimex(2))
KEPT_S = 600.0


class Drift:
    """Remembers when the time of day leapt against the time since boot, so that it is known afterwards.

    A leap is what happens at once. What comes bit by bit, as NTP corrects a clock, is taken as the clock's own going.
    """

    def __init__(self) -> None:
        self._last: Stamp | None = None
        self._leaps: list[tuple[Stamp, float]] = []

    def leapt_s(self, now: Stamp, within_s: float = KEPT_S) -> float:
        """Takes in this moment. Answers by how many seconds the time of day was set forward, or back (below 0), in the
        last `within_s` seconds (`KEPT_S` at most), all together: 0 when it was set back to where it was."""
        last, self._last = self._last, now
        if last is None or last.boot_id != now.boot_id:
            self._leaps = []
            return 0.0
        moved_s = ((now.wall_ns - last.wall_ns) - (now.boottime_ns - last.boottime_ns)) / 1e9
        if abs(moved_s) > SLEWED_S:
            self._leaps.append((now, moved_s))
        self._leaps = [leap for leap in self._leaps if now.seconds_since(leap[0]) <= KEPT_S]
        total_s = sum(seconds for at, seconds in self._leaps if now.seconds_since(at) <= within_s)
        return total_s if abs(total_s) > SLEWED_S else 0.0
