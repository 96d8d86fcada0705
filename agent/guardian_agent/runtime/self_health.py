"""How does the agent itself fare: what does it cost, and how late is it?"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from guardian_agent.model import SelfHealth

EVERY_S = 60.0
TICK_S = 1.0  # between two looks at the loop's lag: each is a wake-up of the processor

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_SELF = Path("/proc/self")


class Looks(Protocol):
    """How many looks there were since the agent's start."""

    looks: int
    looks_unknown: int
    looks_late: int


class Process:
    """What the kernel says of this process; a test puts another in its place."""

    def __init__(self, folder: Path = _SELF) -> None:
        self._folder = folder
        self._waited_ns: dict[str, int] = {}  # by thread

    def cpu_s(self) -> float:
        """Processor time of all its threads since it began, user and system, in seconds."""
        return time.process_time()

    def resident_bytes(self) -> int:
        """Memory that is in RAM (proc_pid_statm(5), the second field); 0 where that cannot be read."""
        with suppress(OSError, IndexError, ValueError):
            return int((self._folder / "statm").read_bytes().split()[1]) * _PAGE_BYTES
        return 0

    def newly_waited_s(self) -> float:
        """Seconds that its threads were ready to run and did not, together, since the last call.

        Source: the second field of /proc/PID/task/TID/schedstat (Linux, Documentation/scheduler/sched-stats.rst). The
        file of the process itself tells of its first thread only. A thread that ended takes its count along.
        """
        before, self._waited_ns = self._waited_ns, self._by_thread()
        grown = {thread: now - before.get(thread, 0) for thread, now in self._waited_ns.items()}
        # A count that went back is another thread's, which got the number of one that ended.
        return sum(self._waited_ns[thread] if by < 0 else by for thread, by in grown.items()) / 1e9

    def _by_thread(self) -> dict[str, int]:
        waited: dict[str, int] = {}
        with suppress(OSError):
            for thread in os.listdir(self._folder / "task"):  # noqa: PTH208 (its names are all that is needed)
                with suppress(OSError, IndexError, ValueError):  # it has just ended
                    schedstat = self._folder / "task" / thread / "schedstat"
                    waited[thread] = int(schedstat.read_bytes().split()[1])
        return waited


class SelfMeasurement:
    """Says once in `every_s` seconds how the agent has fared since it last said so.

    A lag that began and ended between two ticks is not seen here; looks measure their own.
    """

    def __init__(
        self,
        looks: Looks,
        submit: Callable[[SelfHealth], object],
        *,
        process: Process | None = None,
        every_s: float = EVERY_S,
    ) -> None:
        self._looks = looks
        self._submit = submit
        self._process = process or Process()
        self._every_s = every_s
        self.last: SelfHealth | None = None

    async def run(self) -> None:
        """Runs until cancelled."""
        loop = asyncio.get_running_loop()
        self._process.newly_waited_s()
        while True:
            began_s, cpu_s, counts = loop.time(), self._process.cpu_s(), self._counts()
            worst_s = 0.0
            while (left_s := began_s + self._every_s - loop.time()) > 0:
                due_s = loop.time() + min(TICK_S, left_s)
                await asyncio.sleep(due_s - loop.time())
                worst_s = max(worst_s, loop.time() - due_s)
            looks, unknown, late = (now - before for now, before in zip(self._counts(), counts, strict=True))
            self.last = SelfHealth(
                over_s=loop.time() - began_s,
                cpu_s=self._process.cpu_s() - cpu_s,
                resident_bytes=self._process.resident_bytes(),
                loop_lag_worst_s=worst_s,
                waited_for_cpu_s=self._process.newly_waited_s(),
                looks=looks,
                looks_unknown=unknown,
                looks_late=late,
            )
            self._submit(self.last)

    def _counts(self) -> tuple[int, int, int]:
        return self._looks.looks, self._looks.looks_unknown, self._looks.looks_late
