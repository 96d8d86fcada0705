"""How is a log compressed, and put back, without ever losing a line of it?

What is compressed is written down by root: only that is ever decompressed, to its size and its content. A file goes
only when another one is whole that has all of it, and only if it is that very file still.
"""

import errno
import hashlib
import logging
import os
import stat
import time
import zlib
from collections.abc import Iterator

import msgspec

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host.as_root import cleaned, paths
from guardian_agent.host.as_root.below import opened_folder, parent_of
from guardian_agent.host.as_root.deadline import Deadline
from guardian_agent.host.as_root.open_files import open_files
from guardian_agent.host.as_root.paths import Marks, Place
from guardian_agent.host.as_root.staying import why_it_stays
from guardian_agent.host.operations import CompressFile, DecompressFile
from guardian_agent.host.operations.cleanup import MOST_COMPRESSED_BYTES
from guardian_agent.host.questions import Cleaned, Spared

log = logging.getLogger(__name__)

FOLDER = "/var/lib/guardian-executor/compressed"
FORGOTTEN_AFTER_S = 30 * 86_400.0
LEVEL = 4  # a fifth less of time than 6, five times less than 9; and a tenth more room
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
MOST_TOLD_BYTES = 65_536
_GZIP = 31  # zlib's word for the largest window and a header of gzip's


class Compressed(msgspec.Struct, frozen=True, kw_only=True):
    """A log as it was."""

    path: str
    size_bytes: int
    sha256: str
    marks: Marks


def compress(operation: CompressFile, deadline: Deadline, folder: str | None = None) -> None:
    """Raises OperationError, OSError, TooLateError."""
    path = f"{operation.folder}/{operation.file.path}"
    with opened_folder(operation.folder) as top, parent_of(top, operation.file.path) as (parent, name):
        where, packed = _place(path, parent, name), _place(f"{path}.gz", parent, f"{name}.gz")
        try:
            source = paths.opened(where)
        except FileNotFoundError:  # done already, or gone
            return
        try:
            before = _must_be_free(operation, source, where, deadline)
            if packed.stat() is not None:
                raise OperationError(f"{operation.describe()}: {packed.path} exists")
            made = _packed(source, packed, path, deadline, folder or FOLDER)
            if made is None:
                spared = Spared(operation.file.path, "is left: there is no room for the compressed one")
                cleaned.note(Cleaned(at_wall_ns=time.time_ns(), folder=operation.folder, spared=(spared,)))
                return
            try:
                _must_be_as_before(operation, source, where, before, deadline)
                _must_be(packed, made)
            except BaseException:
                _remove_if(packed, made)
                raise
            os.unlink(name, dir_fd=parent)
            os.fsync(parent)
        finally:
            os.close(source)


def decompress(operation: DecompressFile, deadline: Deadline, folder: str | None = None) -> None:
    """Raises OperationError, OSError, TooLateError."""
    path, shown = f"{operation.folder}/{operation.path}", operation.describe()
    with (
        paths.private_folder(folder or FOLDER) as kept,
        opened_folder(operation.folder) as top,
        parent_of(top, operation.path) as (parent, name),
    ):
        where, packed = _place(path, parent, name), _place(f"{path}.gz", parent, f"{name}.gz")
        note = _note_of(path, kept)
        was = _noted(note, path)
        if was is None:
            log.info("%s: it was never compressed", shown)
            return
        try:
            source = paths.opened(packed)
        except FileNotFoundError:  # it is back already, or was never taken away
            paths.remove(note)
            return
        try:
            there = os.fstat(source)
            paths.passing_name(packed)  # of one that was cut short
            if not _is_back(where, was, deadline):
                paths.create(where, _proven(_unpacked(source, was.size_bytes), was), was.marks, deadline)
            deadline.check()
            if not _remove_if(packed, there):
                raise OperationError(f"{shown}: it was replaced meanwhile, and is left")
            paths.remove(note)
        finally:
            os.close(source)


def _must_be_free(operation: CompressFile, source: int, where: Place, deadline: Deadline) -> os.stat_result:
    """It is there by its name, is the file that was seen, and nobody else has it open. Raises RefusedOperationError."""
    opened = open_files(source, deadline, but=source)
    deadline.check()
    state = os.fstat(source)
    why = why_it_stays(state, operation.file, operation.min_age_s, opened)
    if not why and not _is(where, state):
        why = "is another file now"
    if not why and state.st_size > MOST_COMPRESSED_BYTES:
        why = f"has more than {MOST_COMPRESSED_BYTES} bytes"
    if why:
        raise RefusedOperationError(f"{operation.describe()}: it {why}")
    return state


def _must_be_as_before(
    operation: CompressFile, source: int, where: Place, before: os.stat_result, deadline: Deadline
) -> None:
    """The same, and nobody has written to it meanwhile, whatever its time of change was set to."""
    if _must_be_free(operation, source, where, deadline).st_ctime_ns != before.st_ctime_ns:
        raise RefusedOperationError(f"{operation.describe()}: it has changed")


def _must_be(packed: Place, made: os.stat_result) -> None:
    if not _is(packed, made):
        raise OperationError(f"{packed.path} was replaced meanwhile")


def _packed(source: int, packed: Place, path: str, deadline: Deadline, folder: str) -> os.stat_result | None:
    """The whole compressed file; None where there is no room for it."""
    there = os.fstat(source)
    marks = Marks(
        uid=there.st_uid,
        gid=there.st_gid,
        mode=there.st_mode & 0o777,
        accessed_ns=there.st_atime_ns,
        modified_ns=there.st_mtime_ns,
    )

    def content() -> Iterator[bytes]:
        packer, digest, size_bytes = zlib.compressobj(LEVEL, wbits=_GZIP), hashlib.sha256(), 0
        for part in paths.parts_of(source, MOST_COMPRESSED_BYTES):
            digest.update(part)
            size_bytes += len(part)
            yield packer.compress(part)
        yield packer.flush()
        # Before the file has its name: one that root has not written down would not come back.
        _write_down(Compressed(path=path, size_bytes=size_bytes, sha256=digest.hexdigest(), marks=marks), folder)

    try:
        return paths.create(packed, content(), marks, deadline)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        return None


def _is_back(where: Place, was: Compressed, deadline: Deadline) -> bool:
    """Whether the very log is there. Raises RefusedOperationError: another file is, and stays."""
    there = where.stat()
    if there is None:
        return False
    if stat.S_ISREG(there.st_mode) and there.st_size == was.size_bytes:
        file = paths.opened(where)
        try:
            for _ in _proven(paths.parts_of(file, was.size_bytes), was):
                deadline.check()
        except ValueError:
            pass
        else:
            return True
        finally:
            os.close(file)
    raise RefusedOperationError(f"{where.path} is another file now, and the log stays compressed beside it")


def _unpacked(source: int, most_bytes: int) -> Iterator[bytes]:
    """What is in a file of gzip's, `most_bytes` at most. Raises ValueError, OSError."""
    unpacker, left = zlib.decompressobj(wbits=_GZIP), most_bytes
    for read in paths.parts_of(source, most_bytes + most_bytes // 100 + paths.PART_BYTES):
        rest = read
        while rest and not unpacker.eof:
            try:
                part = unpacker.decompress(rest, paths.PART_BYTES)
            except zlib.error as error:
                raise ValueError(f"it cannot be decompressed: {error}") from error
            left -= len(part)
            if left < 0:
                raise ValueError("there is more in it than was compressed")
            yield part
            rest = unpacker.unconsumed_tail
        if unpacker.unused_data:
            raise ValueError("there is more in it than was compressed")


def _proven(parts: Iterator[bytes], was: Compressed) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
        yield part
    if digest.hexdigest() != was.sha256:
        raise ValueError("what is in it is not what was compressed")


def _is(where: Place, state: os.stat_result) -> bool:
    """Whether it is that file; of one that is gone the inode may be another's by now."""
    named = where.stat()
    return named is not None and _identity(named) == _identity(state)


def _identity(state: os.stat_result) -> tuple[int, int, int, int]:
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def _remove_if(where: Place, state: os.stat_result) -> bool:
    """Removes the file if it is that one still."""
    if not _is(where, state):
        return False
    paths.remove(where)
    return True


def _place(path: str, folder: int, name: str) -> Place:
    return Place(path=path, folder=folder, name=name)


def _note_of(path: str, kept: int) -> Place:
    name = f"{hashlib.sha256(path.encode()).hexdigest()}.json"
    return _place(name, kept, name)


def _write_down(was: Compressed, folder: str) -> None:
    with paths.private_folder(folder) as kept:
        _forget_old(kept)
        paths.replace(_note_of(was.path, kept), msgspec.json.encode(was), Marks(mode=0o600))


def _forget_old(kept: int) -> None:
    for name in os.listdir(kept):
        note = _place(name, kept, name)
        there = note.stat()
        if there is not None and there.st_mtime < time.time() - FORGOTTEN_AFTER_S:
            paths.remove(note)


def _noted(note: Place, path: str) -> Compressed | None:
    """What root wrote down of a path; what makes no sense was never written. Raises OSError."""
    try:
        was = msgspec.json.decode(paths.read(note, MOST_TOLD_BYTES), type=Compressed)
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        log.warning("%s makes no sense: %s", note.path, error)
        return None
    return was if was.path == path else None
