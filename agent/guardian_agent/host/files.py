"""Files and file systems of this machine."""

import hashlib
import os
import stat
from collections.abc import Callable, Hashable
from typing import TypeVar

from guardian_agent.errors import ProbeError
from guardian_agent.host import FileState, FileSystem, dpkg, mounts
from guardian_agent.host.aside import Aside

T = TypeVar("T")

IN_MEMORY = ("/proc/", "/sys/")  # of the kernel's own making: nothing there waits for a disk
PART_BYTES = 262144
KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
# Opening a fifo would wait for a writer, and a terminal become ours.
READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

Identity = tuple[int, ...]


class LocalFiles:
    """Reads in threads what could make the loop wait."""

    def __init__(self) -> None:
        self._aside = Aside()
        self._hashes: dict[tuple[str, str], tuple[Identity, str]] = {}
        self._packages = dpkg.Packages()

    def close(self) -> None:
        """Ends the threads that wait for a question."""
        self._aside.close()

    async def state(self, path: str) -> FileState | None:
        """What is there, or None when nothing is. Source: lstat(2)."""
        return await self._read(path, "state", lambda: _state(path))

    async def sha256(self, path: str) -> str:
        return await self._read(path, "sha256", lambda: self._hash(path, "sha256"))

    async def md5(self, path: str) -> str:
        return await self._read(path, "md5", lambda: self._hash(path, "md5"))

    async def packaged_md5(self, path: str) -> str | None:
        return await self._read(path, "packaged", lambda: self._packages.md5(path))

    async def text(self, path: str, limit_bytes: int = 65536) -> str:
        return await self._read(path, ("text", limit_bytes), lambda: _text(path, limit_bytes))

    async def content(self, path: str, limit_bytes: int) -> bytes:
        return await self._read(path, ("content", limit_bytes), lambda: _content(path, limit_bytes))

    async def file_systems(self) -> list[FileSystem]:
        """Source: proc_pid_mountinfo(5), statvfs(3)."""
        return await self._read("file systems", "all", mounts.file_systems)

    async def _read(self, path: str, what: Hashable, read: Callable[[], T]) -> T:
        try:
            if path.startswith(IN_MEMORY):
                return read()
            return await self._aside.ask((path, what), read)
        except OSError as error:
            raise ProbeError(f"{path}: {error.strerror or error}") from error
        except ValueError as error:  # a NUL in the path
            raise ProbeError(f"{path!r} is no path: {error}") from error

    def _hash(self, path: str, algorithm: str) -> str:
        key = (path, algorithm)
        present = os.lstat(path)
        if not stat.S_ISREG(present.st_mode):
            raise ProbeError(f"{path} is no regular file")
        cached = self._hashes.get(key)
        if cached is not None and cached[0] == _identity(present):
            return cached[1]
        file = os.open(path, READ | os.O_NOFOLLOW)
        try:
            before = os.fstat(file)
            digest = hashlib.new(algorithm, usedforsecurity=False)
            while part := os.read(file, PART_BYTES):
                digest.update(part)
            if _identity(before) != _identity(os.fstat(file)):
                raise ProbeError(f"{path} was being written while it was read")
        finally:
            os.close(file)
        self._hashes[key] = (_identity(before), digest.hexdigest())
        return digest.hexdigest()


def _identity(result: os.stat_result) -> Identity:
    """What tells that a file is not the same any more; ctime goes on even where somebody set mtime back."""
    return (
        result.st_dev,
        result.st_ino,
        result.st_mode,
        result.st_size,
        result.st_mtime_ns,
        result.st_ctime_ns,
    )


def _state(path: str) -> FileState | None:
    try:
        result = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    kind = KINDS.get(stat.S_IFMT(result.st_mode), "other")
    return FileState(
        kind=kind,
        size_bytes=result.st_size,
        modified_wall_ns=result.st_mtime_ns,
        mode=stat.S_IMODE(result.st_mode),
        uid=result.st_uid,
        inode=result.st_ino,
        gid=result.st_gid,
        target=os.readlink(path) if kind == "link" else "",  # noqa: PTH115 - the target as it is written
    )


def _text(path: str, limit_bytes: int) -> str:
    return _beginning(path, READ, limit_bytes).decode("utf-8", "replace")


def _content(path: str, limit_bytes: int) -> bytes:
    content = _beginning(path, READ | os.O_NOFOLLOW, limit_bytes + 1)
    if len(content) > limit_bytes:
        raise ProbeError(f"{path} has more than {limit_bytes} bytes")
    return content


def _beginning(path: str, flags: int, limit_bytes: int) -> bytes:
    file = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise ProbeError(f"{path} is no regular file")
        parts = []
        while limit_bytes > 0 and (part := os.read(file, min(limit_bytes, PART_BYTES))):
            parts.append(part)
            limit_bytes -= len(part)
    finally:
        os.close(file)
    return b"".join(parts)
