"""How long did this thread wait for a processor while something was under way?"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

_SCHEDSTAT = Path("/proc/thread-self/schedstat")


def waited_for_cpu_s() -> float:
    """Seconds that the calling thread has been ready to run and did not, since it began; 0 where the kernel does not
    count them.

    Source: the second field of /proc/PID/task/TID/schedstat (Linux, Documentation/scheduler/sched-stats.rst).
    """
    with suppress(OSError, IndexError, ValueError):
        return int(_SCHEDSTAT.read_bytes().split()[1]) / 1e9
    return 0.0


class Starvation:
    """Measures while it is entered: `waited_s`, what this thread spent on the run queue.

    Many short waits make a look late though no single timer was: the loop's lag alone does not show them.
    """

    def __init__(self, waited_s: Callable[[], float] = waited_for_cpu_s) -> None:
        self._read = waited_s
        self._before_s = 0.0
        self.waited_s = 0.0

    def __enter__(self) -> Self:
        self._before_s = self._read()
        return self

    def __exit__(self, *_: object) -> None:
        self.waited_s = max(0.0, self._read() - self._before_s)
