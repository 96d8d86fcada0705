"""How long did this thread wait for a processor while something was under way?"""

import os
import threading
from collections.abc import Callable
from functools import cache
from typing import Self

_TASKS = "/proc/self/task"
_LONGEST = 128  # bytes of the file: three numbers


def waited_for_cpu_s() -> float:
    """Seconds that the calling thread has been ready to run and did not, since it began; 0 where the kernel does not
    count them.

    Source: the second field of /proc/PID/task/TID/schedstat (Linux, Documentation/scheduler/sched-stats.rst).
    """
    try:
        return int(os.pread(_opened(threading.get_native_id()), _LONGEST, 0).split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


@cache
def _opened(thread: int) -> int:
    """The thread's file, opened once: read twice in each look, it would cost more than some looks. Raises OSError."""
    return os.open(f"{_TASKS}/{thread}/schedstat", os.O_RDONLY | os.O_CLOEXEC)


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
