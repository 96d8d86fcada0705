"""What was asked of root, and what came of it: one JSON object a line, on disk before anything is done."""

import contextlib
import ctypes
import os
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from guardian_agent.errors import GuardianError
from guardian_agent.executor.lines import cut

FILE = Path("/var/log/guardian/executor.jsonl")
SIZE = 10 * 1024 * 1024  # bytes of a file …
KEPT = 5  # … and how many there are, the present one among them
RESERVE = 1024 * 1024  # bytes that are allocated beyond the end of the file
LINE_LIMIT = 2048  # bytes of a line, with everything in it
TEXT_LIMIT = 400  # … of what was asked and of what went wrong, as they stand there
_FALLOC_FL_KEEP_SIZE = 1  # fallocate(2)

Outcome = Literal["begun", "done", "answered", "refused", "failed", "unknown"]


class AuditError(GuardianError):
    """The line is not on disk."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. An operation has one when it begins and one when it ends, with the same `id`."""

    id: str
    uid: int
    pid: int
    outcome: Outcome
    what: str
    request: dict[str, Any] | str | None = None  # as JSON; a text is the beginning of one that is too long
    error: str = ""


class Audit:
    """An append-only file, a few of them kept by number, each line synced before `write` returns.

    Space for the next lines is allocated beyond the end of the file, so that a disk which somebody has filled can still
    be healed with everything written down. When that is used up too, nothing more is done.
    """

    def __init__(self, file: Path = FILE, *, size: int = SIZE, kept: int = KEPT, reserve: int = RESERVE) -> None:
        self._file = file
        self._size = size
        self._kept = kept
        self._reserve = reserve
        self._one_at_a_time = threading.Lock()

    def write(self, entry: Entry) -> None:
        """Returns when the line would survive a loss of power. Blocks. Raises AuditError."""
        line = _line(entry)
        try:
            with self._one_at_a_time, self._opened() as folder:
                self._append(folder, line)
        except OSError as error:
            raise AuditError(f"the audit log {self._file} cannot be written: {error.strerror or error}") from error

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        """The folder, which must be nobody else's."""
        self._file.parent.mkdir(mode=0o750, exist_ok=True)
        folder = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _must_be_ours(folder)
            yield folder
        finally:
            os.close(folder)

    def _append(self, folder: int, line: bytes) -> None:
        descriptor = self._open(folder)
        try:
            end = os.fstat(descriptor).st_size
            if end + len(line) > self._size and (new := self._rotated(folder)) is not None:
                os.close(descriptor)
                descriptor, end = new, 0
            self._set_aside(descriptor, end)
            torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"  # the power went in the middle of a line
            _write_whole(descriptor, b"\n" + line if torn else line, end)
            os.fsync(descriptor)
            if end == 0:
                os.fsync(folder)
        finally:
            os.close(descriptor)

    def _open(self, folder: int) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(self._file.name, flags, 0o640, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError("it is no file")  # noqa: TRY301
            _must_be_ours(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _rotated(self, folder: int) -> int | None:
        """A new file in place of the full one; None when the disk has no room for one, and the old one goes on."""
        name, new = self._file.name, f".{self._file.name}.new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new, dir_fd=folder)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(new, flags, 0o640, dir_fd=folder)
        except OSError:
            return None
        if not self._set_aside(descriptor, 0):
            os.close(descriptor)
            os.unlink(new, dir_fd=folder)
            return None
        for number in range(self._kept - 1, 0, -1):
            older = f"{name}.{number - 1}" if number > 1 else name
            with contextlib.suppress(FileNotFoundError):
                os.replace(older, f"{name}.{number}", src_dir_fd=folder, dst_dir_fd=folder)
        os.replace(new, name, src_dir_fd=folder, dst_dir_fd=folder)
        return descriptor

    def _set_aside(self, descriptor: int, end: int) -> bool:
        """Allocates what the next lines will need. A file system that cannot is taken as one that has room."""
        allocated = os.fstat(descriptor).st_blocks * 512
        if allocated >= end + self._reserve // 2:
            return True
        libc = ctypes.CDLL(None, use_errno=True)
        libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long)
        if libc.fallocate(descriptor, _FALLOC_FL_KEEP_SIZE, end, self._reserve) == 0:
            return True
        return ctypes.get_errno() not in (28, 122)  # ENOSPC, EDQUOT


def _line(entry: Entry) -> bytes:
    """At most `LINE_LIMIT` bytes: a request that is longer is a text, which is its beginning."""
    what, error = cut(entry.what, TEXT_LIMIT), cut(entry.error, TEXT_LIMIT)
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    told = {"time": time} | msgspec.to_builtins(msgspec.structs.replace(entry, request=None, what=what, error=error))
    if entry.request is not None:
        told["request"] = entry.request
        if len(line := msgspec.json.encode(told)) < LINE_LIMIT:
            return line + b"\n"
        told["request"] = ""
        room = LINE_LIMIT - 1 - len(msgspec.json.encode(told)) + len('""')
        told["request"] = cut(msgspec.json.encode(entry.request).decode(), room)
    return msgspec.json.encode(told) + b"\n"


def _write_whole(descriptor: int, data: bytes, end: int) -> None:
    """All of it or nothing: what a full disk cut off is taken back."""
    written = 0
    try:
        while written < len(data):
            written += os.write(descriptor, data[written:])
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, end)
        raise


def _must_be_ours(descriptor: int) -> None:
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise OSError("others than root may write there")
