"""What do the processes of some units weigh, and how much processor time have they had?

Runs by itself in a host (`python3 -IS -c …`, standard library only). Prints JSON: for each unit its processes by pid,
each with its name, threads, RSS and PSS in KiB, its own processor time in seconds, that of its first thread alone, and
that of children that are gone.
"""

import json
import os
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")


def control_group(unit: str) -> str:
    """The file that names the unit's processes, where control groups are of version 2 alone, or of both."""
    ends = f"system.slice/{unit}/cgroup.procs"
    paths = [f"/sys/fs/cgroup/{ends}", f"/sys/fs/cgroup/unified/{ends}"]
    return next(path for path in paths if os.path.exists(path))  # noqa: PTH110 (pathlib takes 10 ms to load)


def text(path: str) -> str:
    with open(path) as file:  # noqa: PTH123
        return file.read()


def process(pid: int) -> dict[str, object]:
    name, _, rest = text(f"/proc/{pid}/stat").partition(" (")[2].rpartition(") ")
    fields = rest.split()  # from the third on, see proc_pid_stat(5)
    sizes = dict(line.split(":") for line in text(f"/proc/{pid}/smaps_rollup").splitlines()[1:])
    return {
        "name": name,
        "threads": int(fields[17]),
        "rss_kib": int(sizes["Rss"].split()[0]),
        "pss_kib": int(sizes["Pss"].split()[0]),
        # CPUCLOCK_SCHED of the whole process: utime + stime of its stat, in nanoseconds instead of ticks.
        "own_s": time.clock_gettime((~pid << 3) | 2),
        "first_thread_s": int(text(f"/proc/{pid}/task/{pid}/schedstat").split()[0]) / 1e9,
        "children_s": (int(fields[13]) + int(fields[14])) / TICKS,
    }


if __name__ == "__main__":
    at = time.clock_gettime(time.CLOCK_BOOTTIME)
    units = {unit: {pid: process(pid) for pid in map(int, text(control_group(unit)).split())} for unit in sys.argv[1:]}
    print(json.dumps({"at": at, "units": units}))
