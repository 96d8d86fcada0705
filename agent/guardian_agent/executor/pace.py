"""How fast may requests come?"""

import asyncio
import time

BURST = 100
PER_SECOND = 5.0


class Pace:
    """So many at once, then so many a second: nobody can push what the audit log says out of it by asking on and on.

    The largest lines, two for each request, take more than half an hour to push a line out; ordinary ones some hours.
    """

    def __init__(self, burst: int = BURST, per_second: float = PER_SECOND) -> None:
        self._burst = burst
        self._per_second = per_second
        self._left = float(burst)
        self._at_s = time.monotonic()

    async def wait(self) -> None:
        """Takes one request off what is left; waits for it where there is none."""
        now_s = time.monotonic()
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._per_second) - 1.0
        self._at_s = now_s
        if self._left < 0:
            await asyncio.sleep(-self._left / self._per_second)
