"""The machine's limit of inotify instances, which twenty systemds use up: raised for large fleets, then put back."""

from pathlib import Path

from tests.bed.runs import RUNS, known_runs

LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
BEFORE = RUNS / ".inotify"
A_HOST = 8  # instances that one idle host holds, rounded up
RAISED = 4096


def raise_limit(hosts: int) -> None:
    """Raises the limit when the hosts of all runs might not fit."""
    needed = A_HOST * hosts * max(1, len(known_runs()))
    if needed > (now := int(LIMIT.read_text())) and now < RAISED:
        if not BEFORE.exists():
            BEFORE.write_text(str(now))
        LIMIT.write_text(str(RAISED))


def put_back() -> None:
    """Puts the old limit back when no run is left."""
    if BEFORE.exists() and not known_runs():
        LIMIT.write_text(BEFORE.read_text())
        BEFORE.unlink()
        RUNS.rmdir()
