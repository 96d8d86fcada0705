"""Kills a process as soon as the executor has written so many lines about operations: killer.py PID COUNT FILE.

Runs in a host of the bed, on its own Python; prints the line at which it struck.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path


def operations(path: Path, offset: int) -> list[str]:
    """The lines since `offset` that tell of an operation's begin or end, in order."""
    try:
        with path.open() as file:
            file.seek(offset)
            lines = [json.loads(line) for line in file if line.endswith("\n")]
    except FileNotFoundError:
        return []
    return [f"{line['outcome']} {line['what']}" for line in lines if line["outcome"] in ("begun", "done", "failed")]


def main() -> None:
    pid, count, path = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    offset = path.stat().st_size if path.exists() else 0
    print("ready", flush=True)
    while True:
        found = operations(path, offset)
        if len(found) >= count:
            os.kill(pid, signal.SIGKILL)
            print(f"killed at {found[count - 1]}", flush=True)
            return
        time.sleep(0.001)


main()
