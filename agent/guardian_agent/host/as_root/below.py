"""How is a file reached below a folder, when somebody else may write there: without following a link, on one mount?

Every folder on the way is opened by the descriptor of the one above it (openat(2) with O_NOFOLLOW), so that nobody can
put a link in its place in between.
"""

import contextlib
import os
import stat
from collections.abc import Iterator

from guardian_agent.errors import RefusedOperationError
from guardian_agent.host.operations.cleanup import is_plain

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
    here = os.dup(start)
    try:
        for part in parts:
            below = os.open(part, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
            if mount is not None and mount_id(here) != mount:
                raise RefusedOperationError(f"{part} is another mount")
        yield here
    finally:
        os.close(here)


def mount_id(descriptor: int) -> int:
    """Which mount a descriptor is on (proc_pid_fdinfo(5)): a bind mount has the device of what it shows. Raises
    OSError."""
    with open(f"/proc/self/fdinfo/{descriptor}") as info:  # noqa: PTH123
        for line in info:
            if line.startswith("mnt_id:"):
                return int(line.split()[1])
    raise OSError(f"/proc/self/fdinfo/{descriptor} names no mount")


def regular_files(folder: int, most_folders: int) -> Iterator[tuple[str, os.stat_result]]:
    """The regular files below a folder on its mount, by their path below it; folders that go meanwhile are left out."""
    mount, left = mount_id(folder), [most_folders]
    yield from _walk(folder, "", mount, left)


def _walk(folder: int, prefix: str, mount: int, left: list[int]) -> Iterator[tuple[str, os.stat_result]]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        with contextlib.suppress(OSError):
            state = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(state.st_mode):
                yield f"{prefix}{name}", state
            elif stat.S_ISDIR(state.st_mode) and left[0] > 0:
                left[0] -= 1
                below = os.open(name, _FOLDER, dir_fd=folder)
                try:
                    if mount_id(below) == mount:
                        yield from _walk(below, f"{prefix}{name}/", mount, left)
                finally:
                    os.close(below)
