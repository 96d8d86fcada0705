"""How is room made on a file system, without ever taking what is in use?"""

import asyncio
import contextlib
import errno
import gzip
import logging
import os
import shutil
import stat
import time
from collections.abc import Callable

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host.as_root.below import opened_folder, parent_of
from guardian_agent.host.as_root.open_files import open_files
from guardian_agent.host.operations import CompressFile, DecompressFile, DeleteFiles, VacuumJournal
from guardian_agent.host.operations.cleanup import SeenFile

log = logging.getLogger(__name__)

LIMIT_S = 120.0
JOURNALCTL = "/usr/bin/journalctl"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


async def do(operation: DeleteFiles | CompressFile | DecompressFile | VacuumJournal) -> None:
    """Raises OperationError."""
    shown = operation.describe()
    try:
        async with asyncio.timeout(LIMIT_S):
            match operation:
                case DeleteFiles():
                    await asyncio.to_thread(_delete, operation)
                case CompressFile():
                    await asyncio.to_thread(_compress, operation)
                case DecompressFile():
                    await asyncio.to_thread(_decompress, operation)
                case VacuumJournal():
                    await _vacuum(operation)
    except TimeoutError as error:
        raise OperationError(f"{shown}: not done within {LIMIT_S:g} s") from error
    except OSError as error:
        raise OperationError(f"{shown}: {error.strerror or error}") from error


def _delete(operation: DeleteFiles) -> None:
    opened = open_files()
    left = []
    with opened_folder(operation.folder) as folder:
        for file in operation.files:
            with contextlib.suppress(FileNotFoundError), parent_of(folder, file.path) as (parent, name):
                state = os.stat(name, dir_fd=parent, follow_symlinks=False)
                if why := _kept(state, file, operation.min_age_s, opened):
                    left.append(f"{file.path} {why}")
                else:
                    os.unlink(name, dir_fd=parent)
    if left:
        log.warning("%s: %d left: %s", operation.folder, len(left), "; ".join(left[:10]))


def _kept(state: os.stat_result, file: SeenFile, min_age_s: float, opened: frozenset[tuple[int, int]]) -> str:
    """Why a file must stay; empty when it may go."""
    if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
        return "is no regular file with one name"
    if (state.st_dev, state.st_ino) != (file.device, file.inode):
        return "is another file now"
    if (state.st_size, state.st_mtime_ns) != (file.size_bytes, file.modified_wall_ns):
        return "has changed"
    if state.st_mtime_ns > time.time_ns() - int(min_age_s * 1e9):
        return "is too young"
    return "is open" if (state.st_dev, state.st_ino) in opened else ""


def _compress(operation: CompressFile) -> None:
    file = operation.file
    opened = open_files()
    with opened_folder(operation.folder) as folder, parent_of(folder, file.path) as (parent, name):
        try:
            source = os.open(name, _READ, dir_fd=parent)
        except FileNotFoundError:  # done already, or gone
            return
        try:
            state = os.fstat(source)
            if why := _kept(state, file, operation.min_age_s, opened):
                raise RefusedOperationError(f"{operation.describe()}: it {why}")
            try:
                _write_beside(parent, f"{name}.gz", state, lambda new: _gzip(source, new))
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
                log.warning("%s: no room for it", operation.describe())
                return
            os.unlink(name, dir_fd=parent)
            os.fsync(parent)
        finally:
            os.close(source)


def _decompress(operation: DecompressFile) -> None:
    with opened_folder(operation.folder) as folder, parent_of(folder, operation.path) as (parent, name):
        try:
            source = os.open(f"{name}.gz", _READ, dir_fd=parent)
        except FileNotFoundError:  # it never was compressed, or is back already
            return
        try:
            state = os.fstat(source)
            if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
                raise RefusedOperationError(f"{operation.describe()}: it is no regular file with one name")
            with contextlib.suppress(FileExistsError):  # it is back already, or nobody ever took it away
                _write_beside(parent, name, state, lambda new: _gunzip(source, new))
            os.unlink(f"{name}.gz", dir_fd=parent)
            os.fsync(parent)
        finally:
            os.close(source)


def _write_beside(parent: int, name: str, like: os.stat_result, write: Callable[[int], None]) -> None:
    """A new file, whole and durable or not at all, with another's owner, mode and time. Raises OSError:
    FileExistsError where there is one."""
    new_name = f".{name}.guardian"
    with contextlib.suppress(FileNotFoundError):  # of a try that was cut short
        os.unlink(new_name, dir_fd=parent)
    new = os.open(new_name, _NEW, 0o600, dir_fd=parent)
    try:
        write(new)
        os.fchown(new, like.st_uid, like.st_gid)
        os.fchmod(new, like.st_mode & 0o777)
        os.utime(new, ns=(like.st_atime_ns, like.st_mtime_ns))
        os.fsync(new)
        os.link(new_name, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)  # never over another
    finally:
        os.close(new)
        os.unlink(new_name, dir_fd=parent)


def _gzip(source: int, new: int) -> None:
    with (
        open(source, "rb", closefd=False) as plain,
        open(new, "wb", closefd=False) as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
    ):
        shutil.copyfileobj(plain, packed)


def _gunzip(source: int, new: int) -> None:
    with (
        open(source, "rb", closefd=False) as raw,
        open(new, "wb", closefd=False) as plain,
        gzip.GzipFile(mode="rb", fileobj=raw) as packed,
    ):
        shutil.copyfileobj(packed, plain)


async def _vacuum(operation: VacuumJournal) -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(JOURNALCTL, f"--vacuum-size={operation.keep_bytes}", "--quiet"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=pipe,
        env={"LC_ALL": "C"},
    )
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        raise
    if process.returncode:
        text = said.decode(errors="replace").strip()[-500:]
        raise OperationError(f"{operation.describe()}: exit code {process.returncode}: {text}")
