"""How does root open and replace a file in a folder that others may write to?

Every component of a path is opened by itself and no link is followed in any of them, so that nobody can lead root
elsewhere by swapping a folder for a link (openat(2), O_NOFOLLOW). What is replaced is replaced by a rename within the
folder: whoever opens the file sees the old one or the new one, whole, also after a loss of power.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator

import msgspec

from guardian_agent.host.as_root.deadline import ENDLESS, Deadline

PART_BYTES = 262144
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Opening a fifo would wait for a writer, and a terminal become ours.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What a file has beside its content: owner, mode, times and extended attributes (SELinux label, capabilities,
    access list; xattr(7))."""

    uid: int = 0
    gid: int = 0
    mode: int = 0o644  # permissions, with set-user-ID and the like
    accessed_ns: int | None = None  # None: as it comes
    modified_ns: int | None = None
    attributes: dict[bytes, bytes] = {}  # a name need not be UTF-8


USUAL = Marks()


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A name in an opened folder; there may be nothing there yet."""

    path: str
    folder: int  # the folder's descriptor, open for as long as the place is used
    name: str

    def stat(self) -> os.stat_result | None:
        """What is there, without following a link; None when nothing is. Raises OSError."""
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def target(self) -> str:
        """What the link there says. Raises OSError, also where there is no link."""
        return os.readlink(self.name, dir_fd=self.folder)


@contextlib.contextmanager
def folder(path: str) -> Iterator[int]:
    """The folder at an absolute path, opened without following a link in any component.

    Raises:
        ValueError: the path is not absolute, or has "..", "." or "//" in it.
        OSError: there is none; ELOOP or ENOTDIR where a component is a link.
    """
    with _opened_folder(_components(path) if path != "/" else ()) as found:
        yield found


@contextlib.contextmanager
def place(path: str) -> Iterator[Place]:
    """The place of an absolute path: its folder opened as by `folder`. Raises the same."""
    *parents, name = _components(path)
    with _opened_folder(parents) as found:
        yield Place(path=path, folder=found, name=name)


@contextlib.contextmanager
def private_folder(path: str) -> Iterator[int]:
    """The same for a folder of root's own, made where it is missing (mode 0700, and 0755 above it).

    Raises:
        PermissionError: it is not root's alone. ValueError, OSError as `folder`.
    """
    parts = _components(path)
    for depth in range(1, len(parts) + 1):
        with _opened_folder(parts[: depth - 1]) as above, contextlib.suppress(FileExistsError):
            os.mkdir(parts[depth - 1], mode=0o700 if depth == len(parts) else 0o755, dir_fd=above)
    with folder(path) as private:
        found = os.fstat(private)
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise PermissionError(errno.EPERM, f"{path} is open to others", path)
        yield private


def trusted(path: str) -> None:
    """Nobody but root can have put there what is at this path: the file, and every folder above it, are root's, and
    others cannot write to them.

    Raises:
        PermissionError: they can, and the text says where. ValueError, OSError as `place`.
    """
    parts = _components(path)
    for depth in range(len(parts)):
        with _opened_folder(parts[:depth]) as above:
            whole = "/" + "/".join(parts[:depth])
            _must_be_roots(os.fstat(above), whole, sticky_will_do=True)
            found = os.stat(parts[depth], dir_fd=above, follow_symlinks=False)
            _must_be_roots(found, "/" + "/".join(parts[: depth + 1]), sticky_will_do=depth + 1 < len(parts))


def opened(where: Place) -> int:
    """The regular file at a place, opened for reading; the caller closes it.

    Raises:
        OSError: there is none; EINVAL where it is no regular file, ELOOP where it is a link.
    """
    file = os.open(where.name, READ, dir_fd=where.folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "no regular file", where.path)
    return file


def parts_of(file: int, limit_bytes: int) -> Iterator[bytes]:
    """The content of an opened file, a part at a time. Raises OSError: EFBIG where it has more than `limit_bytes`."""
    while part := os.read(file, PART_BYTES):
        limit_bytes -= len(part)
        if limit_bytes < 0:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        yield part


def read(where: Place, limit_bytes: int) -> bytes:
    """The content of a regular file. Raises OSError as `opened` and `parts_of`."""
    file = opened(where)
    try:
        return b"".join(parts_of(file, limit_bytes))
    finally:
        os.close(file)


def marks(file: int) -> Marks:
    """The marks of an opened file. Raises OSError."""
    found = os.fstat(file)
    attributes = {}
    with contextlib.suppress(OSError):  # a file system without them
        attributes = {os.fsencode(name): os.getxattr(file, name) for name in os.listxattr(file)}
    return Marks(
        uid=found.st_uid,
        gid=found.st_gid,
        mode=stat.S_IMODE(found.st_mode),
        accessed_ns=found.st_atime_ns,
        modified_ns=found.st_mtime_ns,
        attributes=attributes,
    )


def replace(where: Place, content: bytes | Iterable[bytes], wanted: Marks, deadline: Deadline = ENDLESS) -> None:
    """Puts a new file with that content and those marks in the place of whatever file or link is there.

    Nothing is seen of it before it is whole and on the disk; where it fails, all is as it was.

    Raises:
        OSError: it could not be written, or a folder is in its place.
        TooLateError: the deadline has passed, and nothing was done.
    """
    with _written(where, content, wanted, deadline) as (name, _):
        os.rename(name, where.name, src_dir_fd=where.folder, dst_dir_fd=where.folder)


def create(
    where: Place, content: bytes | Iterable[bytes], wanted: Marks, deadline: Deadline = ENDLESS
) -> os.stat_result:
    """The same where nothing is; answers what the new file is. Raises the same, and FileExistsError: something is
    there, and stays."""
    with _written(where, content, wanted, deadline) as (name, made):
        os.link(name, where.name, src_dir_fd=where.folder, dst_dir_fd=where.folder, follow_symlinks=False)
        os.unlink(name, dir_fd=where.folder)
    return made


@contextlib.contextmanager
def _written(
    where: Place, content: bytes | Iterable[bytes], wanted: Marks, deadline: Deadline
) -> Iterator[tuple[str, os.stat_result]]:
    """A whole file under a passing name beside the place, to be given its own in the body."""
    name = passing_name(where)
    file = os.open(name, WRITE, mode=0o600, dir_fd=where.folder)
    try:
        try:
            for part in (content,) if isinstance(content, bytes) else content:
                deadline.check()
                _write(file, part)
            _mark(file, wanted)
            os.fsync(file)
            made = os.fstat(file)
        finally:
            os.close(file)
        deadline.check()
        yield name, made
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=where.folder)
        raise
    os.fsync(where.folder)


def replace_by_link(where: Place, target: str, wanted: Marks = USUAL, deadline: Deadline = ENDLESS) -> None:
    """The same with a symbolic link that says `target`, to the letter; of the marks it has owner and time. Raises
    OSError, TooLateError."""
    name = passing_name(where)
    os.symlink(target, name, dir_fd=where.folder)
    try:
        _mark_link(name, where.folder, wanted)
        deadline.check()
        os.rename(name, where.name, src_dir_fd=where.folder, dst_dir_fd=where.folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=where.folder)
        raise
    os.fsync(where.folder)


def _mark_link(name: str, folder: int, wanted: Marks) -> None:
    """By its descriptor: what somebody else may have put in its place gets no other owner. Raises OSError."""
    link = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if not stat.S_ISLNK(os.fstat(link).st_mode) or os.fstat(link).st_nlink != 1:
            raise OSError(errno.EINVAL, "it is no link any more", name)
        os.chown(f"/proc/self/fd/{link}", wanted.uid, wanted.gid)
        if wanted.modified_ns is not None:
            os.utime(f"/proc/self/fd/{link}", ns=(wanted.modified_ns, wanted.modified_ns))
    finally:
        os.close(link)


def remove(where: Place, deadline: Deadline = ENDLESS) -> None:
    """Removes a file or a link; none there is fine. Raises OSError, TooLateError."""
    deadline.check()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(where.name, dir_fd=where.folder)
        os.fsync(where.folder)


def _components(path: str) -> tuple[str, ...]:
    """The names in a path. Raises ValueError."""
    parts = tuple(path.split("/")[1:])
    if not path.startswith("/") or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{path!r} is no plain absolute path")
    return parts


@contextlib.contextmanager
def _opened_folder(parts: Iterable[str]) -> Iterator[int]:
    reached = os.open("/", FOLDER)
    try:
        for part in parts:
            above, reached = reached, os.open(part, FOLDER, dir_fd=reached)
            os.close(above)
        yield reached
    finally:
        os.close(reached)


def _must_be_roots(found: os.stat_result, path: str, *, sticky_will_do: bool) -> None:
    if found.st_uid != 0:
        raise PermissionError(errno.EPERM, f"{path} is not root's", path)
    sticky = sticky_will_do and found.st_mode & stat.S_ISVTX  # others can add there, and not replace what is root's
    if found.st_mode & OTHERS_WRITE and not sticky:
        raise PermissionError(errno.EPERM, f"others can write to {path}", path)


def passing_name(where: Place) -> str:
    """A name beside the place, free again: what a try that died left there is taken away. O_EXCL does the rest."""
    name = f".{where.name[:200]}.guardian"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=where.folder)
    return name


def _write(file: int, part: bytes) -> None:
    left = memoryview(part)
    while left:
        left = left[os.write(file, left) :]


def _mark(file: int, wanted: Marks) -> None:
    """In this order, since a change of owner takes set-user-ID and capabilities away (chown(2))."""
    os.fchown(file, wanted.uid, wanted.gid)
    for name, value in wanted.attributes.items():
        os.setxattr(file, name, value)
    os.fchmod(file, wanted.mode)
    if wanted.modified_ns is not None:
        accessed_ns = wanted.modified_ns if wanted.accessed_ns is None else wanted.accessed_ns
        os.utime(file, ns=(accessed_ns, wanted.modified_ns))
