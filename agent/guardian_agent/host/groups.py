"""Control groups: what runs in one (cgroups(7), version 2)?"""

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from guardian_agent.host import ProcessState
from guardian_agent.host.sessions import read_stat


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


def _groups(folder: str) -> Iterator[str]:
    for group, _, _ in os.walk(folder):
        yield group


def _pids(group: str) -> list[int]:
    with contextlib.suppress(OSError):  # the group has just gone, or is a threaded one, which lists no processes
        return [int(pid) for pid in Path(group, "cgroup.procs").read_text().split()]
    return []
