"""Changes that make room on a file system."""

import re
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

import msgspec

from guardian_agent.host.operations.base import Change

MOST_FILES = 200  # in one operation: it stays short enough to be read and journaled
_SHOWN = 3
_OF_THE_SYSTEM = frozenset(
    f"/{name}"
    for name in ("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "root", "run", "sbin", "sys", "usr")
)
_NOT_WHOLE = frozenset(("/var/cache", "/var/lib", "/var/local", "/var/mail", "/var/opt", "/var/spool", "/var/run"))
GUARDIANS_OWN = (
    *("/etc/guardian", "/run/guardian", "/var/log/guardian"),
    *("/var/lib/guardian-agent", "/var/lib/guardian-aggregator", "/var/lib/guardian-executor"),
)
_NEVER = ("/var/lib/dpkg", "/var/lib/apt", "/var/lib/systemd", *GUARDIANS_OWN)
MOST_COMPRESSED_BYTES = 1 << 30  # a slow machine compresses 20 MB a second, and has two minutes for it


class SeenFile(msgspec.Struct, frozen=True, kw_only=True):
    """A regular file as it was seen when the change was planned: one that is not so any more is left alone."""

    path: str  # below the folder of the operation
    device: int
    inode: int
    size_bytes: int
    allocated_bytes: int  # what is free once it is gone
    modified_wall_ns: int


class DeleteFiles(Change, frozen=True, tag=True):
    """Deletes files below a folder: each only if it is the file that was seen then, is old enough, and nobody has it
    open. Whatever is gone already is fine, and whatever has changed is left. Nothing brings them back."""

    folder: str
    files: tuple[SeenFile, ...]
    min_age_s: float

    def describe(self) -> str:
        size = sum(file.allocated_bytes for file in self.files)
        names = ", ".join(file.path for file in self.files[:_SHOWN])
        more = f" and {len(self.files) - _SHOWN} more" if len(self.files) > _SHOWN else ""
        return f"rm in {self.folder}: {len(self.files)} files of {size} bytes, for good: {names}{more}"


class CompressFile(Change, frozen=True, tag=True):
    """Puts FILE.gz in the place of a rotated log of at most a gibibyte, with its owner, mode and time. Without room for
    that it is left as it is; one that has changed or is open is refused, also when it has come to that meanwhile."""

    folder: str
    file: SeenFile
    min_age_s: float

    def describe(self) -> str:
        return f"gzip {self.folder}/{self.file.path}"


class DecompressFile(Change, frozen=True, tag=True):
    """Puts a log back that `CompressFile` compressed; what it did not is left. Nothing is written over."""

    folder: str
    path: str  # without .gz, below the folder

    def describe(self) -> str:
        return f"gunzip {self.folder}/{self.path}.gz"


class VacuumJournal(Change, frozen=True, tag=True):
    """Deletes the oldest archived files of the journal until `keep_bytes` are left. Nothing brings them back."""

    keep_bytes: int

    def describe(self) -> str:
        return f"journalctl --vacuum-size={self.keep_bytes}, for good"


CleanupOperation = DeleteFiles | CompressFile | DecompressFile | VacuumJournal


def is_plain(path: str) -> bool:
    """Whether a path has nothing in it that leads elsewhere or that no file is called: `..`, `.`, nothing, a NUL."""
    parts = path.split("/")
    return bool(path) and "\0" not in path and not any(part in ("", ".", "..") for part in parts)


def too_broad(folder: str) -> str:
    """Why nothing may be deleted below this folder, whoever allows it; empty where it may be."""
    if folder != "/" and (not folder.startswith("/") or not is_plain(folder[1:])):
        rule = 'absolute, without ".." or a "/" at its end'
        return f"{folder!r} is not the plain path of a folder, such as /var/log: {rule}"
    place = PurePosixPath(folder)
    top = "".join(place.parts[:2])
    if top in _OF_THE_SYSTEM:
        return f"{folder} is the system's own"
    if len(place.parts) < 3 or (top == "/home" and len(place.parts) < 4) or folder in _NOT_WHOLE:
        return f"{folder} is too much: name the folders below it"
    if any(beneath(folder, never) for never in _NEVER):
        return f"{folder} is the system's own"
    return ""


def beneath(path: str, folder: str) -> bool:
    """Whether `path` is the folder or lies below it, both being plain and absolute."""
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def matches(path: str, names: tuple[str, ...]) -> bool:
    """Whether the last part of a path has one of the names (with * and ?)."""
    name = path.rpartition("/")[2]
    return any(fnmatchcase(name, pattern) for pattern in names)


_ROTATED = re.compile(r".+\.(?:\d{1,3}|old)|.+\.log[.-]\d+")


def is_rotated_log(path: str) -> bool:
    """Whether it is called as a log is that was rotated and not compressed yet (logrotate(8))."""
    return _ROTATED.fullmatch(path.rpartition("/")[2]) is not None
