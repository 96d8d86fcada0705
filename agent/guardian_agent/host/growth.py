"""By how much has a counter grown lately?"""

from collections import deque
from collections.abc import Mapping

import msgspec

from guardian_agent.model import Stamp

MOST_SAMPLES = 64  # of one key; looks that come closer together replace the newest


class Grown(msgspec.Struct, frozen=True):
    """What counters grew by, and in how many seconds."""

    by: dict[str, int]
    seconds: float


class Growth:
    """Remembers what kernel counters said at earlier looks, so that a probe, which remembers nothing, can tell a rate.

    A counter that went backwards (the interface was made anew, the host rebooted) begins anew.
    """

    def __init__(self) -> None:
        self._samples: dict[str, deque[tuple[Stamp, dict[str, int]]]] = {}

    def of(self, key: str, counters: Mapping[str, int], now: Stamp, over_s: float) -> Grown | None:
        """Takes in what the counters say now. Answers how they grew since the oldest sample that is at most `over_s`
        seconds old; None when there is none yet."""
        samples = self._samples.setdefault(key, deque())
        while samples and (samples[0][0].boot_id != now.boot_id or now.seconds_since(samples[0][0]) > over_s):
            samples.popleft()
        if samples and any(counters.get(name, 0) < value for name, value in samples[-1][1].items()):
            samples.clear()
        oldest = samples[0] if samples else None
        if len(samples) > 1 and now.seconds_since(samples[-2][0]) < over_s / MOST_SAMPLES:
            samples.pop()
        samples.append((now, dict(counters)))
        if oldest is None or (seconds := now.seconds_since(oldest[0])) <= 0:
            return None
        return Grown({name: value - oldest[1].get(name, 0) for name, value in counters.items()}, seconds)
