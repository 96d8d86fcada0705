"""Which file system is a mount on, or a path, without touching it? What hangs there would hang us."""

import contextlib
import os
import re
from pathlib import Path

MINE = "self"
_ESCAPED = re.compile(r"\\([0-7]{3})")


class MountTable:
    """What processes have mounted, read as it is asked for (proc_pid_mountinfo(5)). Of one pass, not for keeping."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._devices: dict[int, str] = {}  # by the mount's id
        self._views: dict[str, str] = {}  # by the process: its namespace and its root
        self._points: dict[str, dict[str, str]] = {}  # by the view: mount point → device

    def device(self, mount: int, process: str = MINE) -> str | None:
        """MAJOR:MINOR of the file system that a mount of the process is of; None: the mount is nowhere any more."""
        if mount not in self._devices:
            self._points_of(process)
        return self._devices.get(mount)

    def device_of(self, path: str, process: str = MINE) -> str | None:
        """The same for what the process sees at a path; None: it cannot be told."""
        points = self._points_of(process)
        while path not in points and path not in ("/", ""):
            path = path.rpartition("/")[0] or "/"
        return points.get(path)

    def points(self) -> frozenset[str]:
        """Where something is mounted, as this process sees it."""
        return frozenset(self._points_of(MINE))

    def _points_of(self, process: str) -> dict[str, str]:
        if process not in self._views:
            self._views[process] = self._view(process)
        view = self._views[process]
        if view not in self._points:
            self._points[view] = self._read(process)
        return self._points[view]

    def _view(self, process: str) -> str:
        with contextlib.suppress(OSError):
            own = self._proc / process
            return f"{(own / 'ns/mnt').readlink()} {(own / 'root').readlink()}"
        return process

    def _read(self, process: str) -> dict[str, str]:
        points = {}
        with contextlib.suppress(OSError):
            for line in os.fsdecode((self._proc / process / "mountinfo").read_bytes()).split("\n"):
                words = line.split(" ")
                if len(words) >= 6 and words[0].isdecimal():
                    self._devices[int(words[0])] = words[2]
                    points[_plain(words[4])] = words[2]  # of two on one point the later hides the earlier
        return points


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), text)
