"""Control groups (cgroups(7)): what runs in one, which is a process in, and whose is it?"""

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from guardian_agent.host import ProcessState
from guardian_agent.host.sessions import read_stat

UNIT_ENDINGS = (".service", ".scope")


def processes_of(folder: str, most_groups: int) -> list[ProcessState]:
    """The processes of the group at `folder` and of those below it. Some milliseconds: call it in a thread."""
    pids = [pid for group in itertools.islice(_groups(folder), most_groups) for pid in _pids(group)]
    return [
        ProcessState(
            pid=stat.pid,
            start_ticks=stat.start_ticks,
            alive=stat.alive,
            status=stat.status,
            session=stat.session,
        )
        for stat in map(read_stat, pids)
        if stat is not None
    ]


def ids_below(folder: str, most: int) -> set[int]:
    """The kernel's ids of the groups below the one at `folder`, of about `most` of them. In memory: nothing blocks."""
    found: set[int] = set()
    for above, below, _ in os.walk(folder):
        for name in below:
            with contextlib.suppress(FileNotFoundError):
                found.add(os.stat(f"{above}/{name}").st_ino)  # noqa: PTH116
        if len(found) >= most:
            break
    return found


def _groups(folder: str) -> Iterator[str]:
    for group, _, _ in os.walk(folder):
        yield group


def _pids(group: str) -> list[int]:
    with contextlib.suppress(OSError):  # the group has just gone, or is a threaded one, which lists no processes
        return [int(pid) for pid in Path(group, "cgroup.procs").read_text().split()]
    return []


def cgroup2_folder() -> Path | None:
    """Where the control groups of version 2 are mounted; in a hybrid setup not where one expects them."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        if after.split(" ", 1)[0] == "cgroup2":
            return Path(before.split()[4])
    return None


def control_group(pid: int, proc: Path = Path("/proc")) -> str:
    """The control group of a process, of version 2, or else systemd's own (proc_pid_cgroup(5)); empty when it has
    ended."""
    groups = {}
    with contextlib.suppress(OSError):
        # Of a group's name only the line feed is kept out by the kernel, not what else str.splitlines takes for an end.
        for line in (proc / str(pid) / "cgroup").read_text(errors="replace").split("\n"):
            if line.count(":") >= 2:
                _, controllers, group = line.split(":", 2)
                groups[controllers] = group
    return groups.get("") or groups.get("name=systemd", "")


def unit_of(group: str) -> str:
    """The unit of the system's manager that a control group belongs to; empty where it is none."""
    first = next((part for part in group.split("/") if part and not part.endswith(".slice")), "")
    return first if first.endswith(UNIT_ENDINGS) else ""
