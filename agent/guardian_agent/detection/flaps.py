"""For how long must what fails again and again be good before it counts as good?"""

from guardian_agent.model import Stamp

# The words, and how they work together, are those of BGP route flap damping (RFC 2439, section 4.2); the numbers are
# ours: the first two falls cost nothing, the third one within some seven minutes costs two seconds.
PENALTY = 1000.0  # of one fall
HALF_LIFE_S = 300.0
SUPPRESS_ABOVE = 2000.0
REUSE_BELOW = 750.0
CEILING = 8000.0  # so that the worst of pasts is forgotten in 17 minutes

SHORTEST_S = 2.0  # after the fall that goes above `SUPPRESS_ABOVE`, and twice as much with each further one
LONGEST_S = 60.0


class Flaps:
    """How often one condition fell from good into failing: each fall costs a penalty, which halves with time.

    Pure: it is told when, and has no clock of its own. Nothing of it outlives the agent's process.
    """

    __slots__ = ("_at", "_penalty", "_suppressed")

    def __init__(self) -> None:
        self._penalty = 0.0  # as it was at `_at`
        self._at: Stamp | None = None
        self._suppressed = False

    def fell(self, now: Stamp) -> None:
        """It was good, and fails again."""
        before = self.penalty(now)
        self._suppressed = self._suppressed and before >= REUSE_BELOW
        self._penalty, self._at = min(CEILING, before + PENALTY), now
        self._suppressed |= self._penalty > SUPPRESS_ABOVE

    def penalty(self, now: Stamp) -> float:
        """What is left of it at `now`."""
        if self._at is None:
            return 0.0
        age_s = max(0.0, now.seconds_since(self._at))
        return float(self._penalty * 0.5 ** (age_s / HALF_LIFE_S))

    def steady_s(self, now: Stamp) -> float:
        """For how many seconds it must be good before it counts as good again: 0, or 2 to 60."""
        penalty = self.penalty(now)
        if not self._suppressed or penalty < REUSE_BELOW:
            return 0.0
        doublings = max(0.0, (penalty - SUPPRESS_ABOVE - PENALTY) / PENALTY)
        return float(min(LONGEST_S, SHORTEST_S * 2**doublings))
