"""The three clocks of this machine: its boot, the time since it, and the time of day."""

import time
from functools import cache
from pathlib import Path

from guardian_agent.model import Stamp


@cache
def boot_id() -> str:
    """The kernel's random id of this boot (random(4)); it cannot change while this process lives."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class LocalClock:
    """CLOCK_BOOTTIME, which goes on through a suspend, beside CLOCK_REALTIME, which people can set."""

    def now(self) -> Stamp:
        """This moment by all three clocks."""
        return Stamp(boot_id(), time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time_ns())
