"""Sends one signal to every process of a unit, at a known moment.

Runs by itself in a host (`python3 -IS -c …`, standard library only). It does what `systemctl kill` does, without the
milliseconds between the start of that command and its signal. Prints two times (CLOCK_BOOTTIME, seconds), just before
the first signal and just after the last, and how many processes there were. Starting and ending a process takes the
machine's time, so it is quiet before and after.
"""

import contextlib
import os
import sys
import time

QUIET_S = 0.3


def now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def control_group(unit: str) -> str:
    """The file that names the unit's processes, where control groups are of version 2 alone, or of both."""
    ends = f"system.slice/{unit}/cgroup.procs"
    paths = [f"/sys/fs/cgroup/{ends}", f"/sys/fs/cgroup/unified/{ends}"]
    return next(path for path in paths if os.path.exists(path))  # noqa: PTH110 (pathlib takes 10 ms to load)


def members(file: str) -> set[int]:
    """The processes in a control group; none when it is gone with its last one."""
    try:
        with open(file) as lines:  # noqa: PTH123
            return set(map(int, lines))
    except OSError:
        return set()


def signal_all(file: str, number: int) -> int:
    """Signals every process, the eldest first (it would replace a lost child), until no new one shows up."""
    signalled: set[int] = set()
    while fresh := sorted(members(file) - signalled):
        for pid in fresh:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        signalled.update(fresh)
    return len(signalled)


if __name__ == "__main__":
    processes = control_group(sys.argv[1])
    os.nice(-20)  # a fault is not to be interrupted half-way
    time.sleep(QUIET_S)
    before = now()
    count = signal_all(processes, int(sys.argv[2]))
    after = now()
    time.sleep(QUIET_S)
    print(f"{before:.6f} {after:.6f} {count}")
