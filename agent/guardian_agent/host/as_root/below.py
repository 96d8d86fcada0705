"""How is a file reached below a folder, when somebody else may write there: without following a link, on one mount?

Every folder on the way is opened by the descriptor of the one above it (openat(2) with O_NOFOLLOW), so that nobody can
put a link in its place in between. Guardian's own folders are known by what they are, whichever way leads there, and
are never entered.
"""

import contextlib
import os
from collections.abc import Iterator

from guardian_agent.errors import RefusedOperationError
from guardian_agent.host.as_root.deadline import ENDLESS, Deadline
from guardian_agent.host.as_root.mount_table import MountTable
from guardian_agent.host.operations.cleanup import GUARDIANS_OWN, is_plain

MOST_DEEP = 64  # folders below one another
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def opened_folder(path: str) -> Iterator[int]:
    """A descriptor of an absolute folder, no part of whose path is a link. Raises OSError, RefusedOperationError."""
    if path != "/" and (not path.startswith("/") or not is_plain(path[1:])):
        raise RefusedOperationError(f"{path!r} is not the absolute, plain path of a folder")
    root = os.open("/", _FOLDER)
    try:
        with _descended(root, path[1:].split("/") if path != "/" else [], None) as folder:
            yield folder
    finally:
        os.close(root)


@contextlib.contextmanager
def parent_of(folder: int, path: str) -> Iterator[tuple[int, str]]:
    """The descriptor of the folder that a path below `folder` ends in, on the same mount, and its last part. Raises
    OSError, RefusedOperationError."""
    if not is_plain(path):
        raise RefusedOperationError(f"{path!r} is not a plain path")
    *parts, name = path.split("/")
    with _descended(folder, parts, mount_id(folder)) as parent:
        yield parent, name


@contextlib.contextmanager
def _descended(start: int, parts: list[str], mount: int | None) -> Iterator[int]:
    own, here = guardians_own(), os.dup(start)
    try:
        for part in parts:
            below = os.open(part, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
            if mount is not None and mount_id(here) != mount:
                raise RefusedOperationError(f"{part} is another mount")
            if _identity(here) in own:
                raise RefusedOperationError(f"{part} is Guardian's own")
        yield here
    finally:
        os.close(here)


def guardians_own() -> frozenset[tuple[int, int]]:
    """Device and inode of Guardian's own folders, by which they are known under any name."""
    found = set()
    for path in GUARDIANS_OWN:
        with contextlib.suppress(OSError):
            state = os.stat(path)  # noqa: PTH116
            found.add((state.st_dev, state.st_ino))
    return frozenset(found)


def _identity(descriptor: int) -> tuple[int, int]:
    state = os.fstat(descriptor)
    return state.st_dev, state.st_ino


def mount_id(descriptor: int) -> int:
    """Which mount a descriptor is on (proc_pid_fdinfo(5)): a bind mount has the device of what it shows. Raises
    OSError."""
    with open(f"/proc/self/fdinfo/{descriptor}") as info:  # noqa: PTH123
        for line in info:
            if line.startswith("mnt_id:"):
                return int(line.split()[1])
    raise OSError(f"/proc/self/fdinfo/{descriptor} names no mount")


def regular_files(
    folder: int, path: str, most_folders: int, deadline: Deadline = ENDLESS
) -> Iterator[tuple[str, os.stat_result]]:
    """The regular files below the folder opened at `path`, on its mount, by their path below it, until the deadline;
    folders that go meanwhile are left out. What is mounted below is not touched."""
    yield from _Walk(folder, most_folders, deadline).below(folder, path.rstrip("/"), "", MOST_DEEP)


class _Walk:
    def __init__(self, folder: int, most_folders: int, deadline: Deadline) -> None:
        self._mount = mount_id(folder)
        self._left = most_folders
        self._deadline = deadline
        self._points = MountTable().points()
        self._own = guardians_own()

    def below(self, folder: int, top: str, prefix: str, deep: int) -> Iterator[tuple[str, os.stat_result]]:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if self._deadline.passed:
                    return
                if f"{top}/{prefix}{entry.name}" not in self._points:
                    yield from self._one(folder, entry, top, prefix, deep)

    def _one(
        self, folder: int, entry: os.DirEntry[str], top: str, prefix: str, deep: int
    ) -> Iterator[tuple[str, os.stat_result]]:
        with contextlib.suppress(OSError):
            if entry.is_file(follow_symlinks=False):
                yield f"{prefix}{entry.name}", entry.stat(follow_symlinks=False)
            elif deep > 0 and self._left > 0 and entry.is_dir(follow_symlinks=False):
                self._left -= 1
                below = os.open(entry.name, _FOLDER, dir_fd=folder)
                try:
                    if mount_id(below) == self._mount and _identity(below) not in self._own:
                        yield from self.below(below, top, f"{prefix}{entry.name}/", deep - 1)
                finally:
                    os.close(below)
