"""What was set aside, in a folder of root's own.

Each has a folder by itself, NAME, with the `content` in one file and in `kept.json` what root saw: no content that
somebody chose can be taken for a description, and nothing is ever written over. The description comes last, and without
it nothing was set aside. What is kept under a name that is used again for the same file is moved on to NAME~1, NAME~2,
…, which no operation names.
"""

import contextlib
import errno
import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import msgspec

from guardian_agent.host.as_root import paths
from guardian_agent.host.as_root.paths import Marks, Place

CONTENT, DESCRIPTION = "content", "kept.json"
MOST_TOLD_BYTES = 1_048_576

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What was there, as root saw it."""

    path: str
    kind: Literal["file", "link", "missing"]
    kept_at_wall_s: float
    target: bytes = b""  # of a link: it need not be UTF-8
    marks: Marks = Marks()
    sha256: str = ""
    md5: str = ""


class Quarantine:
    """What is kept, by names that whoever sets it aside chooses."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def keep(self, name: str, found: Kept, content: Callable[[], Iterable[bytes]]) -> None:
        """Keeps it; what is kept already is not kept twice. `content` is asked for where it is a file.

        Raises:
            ValueError: it is no name, or what is kept there was at another path. OSError, TooLateError.
        """
        _plain(name)  # first: below, what makes no sense is moved on by that name
        with self._opened() as whole:
            if (before := self._moved_on(whole, name, found)) is not None and _same(before, found):
                return
            with contextlib.suppress(FileExistsError):  # of a try that was cut short
                os.mkdir(_plain(name), mode=0o700, dir_fd=whole)
            with self._entry(whole, name) as entry:
                if found.kind == "file":
                    paths.replace(self._place(entry, name, CONTENT), content(), Marks(mode=0))
                description = self._place(entry, name, DESCRIPTION)
                paths.create(description, msgspec.json.encode(found), Marks(mode=0o600))
            os.fsync(whole)

    @contextlib.contextmanager
    def kept(self, name: str, path: str) -> Iterator[tuple[Kept, Place] | None]:
        """What is kept of that very path, and its content, for as long as the body lasts; None: nothing is.

        Raises:
            ValueError: it is no name, or of another path, or its description makes no sense. OSError.
        """
        with self._opened() as whole, contextlib.ExitStack() as stack:
            try:
                entry = stack.enter_context(self._entry(whole, name))
            except FileNotFoundError:
                yield None
                return
            was = self._told(entry, name)
            if was is not None and was.path != path:
                raise ValueError(f"what is kept there was at {was.path}")
            yield None if was is None else (was, self._place(entry, name, CONTENT))

    def forget(self, name: str) -> None:
        """What is kept under the name is not kept any more. Raises ValueError, OSError."""
        with self._opened() as whole:
            with self._entry(whole, name) as entry:
                for each in (DESCRIPTION, CONTENT):  # in this order, since without the first nothing is kept
                    paths.remove(self._place(entry, name, each))
            os.rmdir(name, dir_fd=whole)

    def _moved_on(self, whole: int, name: str, found: Kept) -> Kept | None:
        """What is kept under the name already; where it is something else of the same path, it has made room."""
        before, unclear = None, ""
        try:
            with self._entry(whole, name) as entry:
                before = self._told(entry, name)
        except FileNotFoundError:
            return None
        except ValueError as error:
            unclear = str(error)
        if before is not None and before.path != found.path:
            raise ValueError(f"what is kept there was at {before.path}")
        if unclear or (before is not None and not _same(before, found)):
            self._move_on(whole, name)
        return before

    def _move_on(self, whole: int, name: str) -> None:
        taken = set(os.listdir(whole))
        free = next(each for number in itertools.count(1) if (each := f"{name}~{number}") not in taken)
        os.rename(name, free, src_dir_fd=whole, dst_dir_fd=whole)

    def _told(self, entry: int, name: str) -> Kept | None:
        """What the description says; None where there is none. Raises ValueError, OSError."""
        description = self._place(entry, name, DESCRIPTION)
        if description.stat() is None:
            return None
        try:
            return msgspec.json.decode(paths.read(description, MOST_TOLD_BYTES), type=Kept)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"{description.path} makes no sense: {error}") from error

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        with paths.private_folder(self._folder) as whole:
            yield whole

    @contextlib.contextmanager
    def _entry(self, whole: int, name: str) -> Iterator[int]:
        entry = os.open(_plain(name), paths.FOLDER, dir_fd=whole)
        try:
            found = os.fstat(entry)
            if found.st_uid != os.geteuid() or found.st_mode & 0o077:
                raise PermissionError(errno.EPERM, f"{self._folder}/{name} is open to others")
            yield entry
        finally:
            os.close(entry)

    def _place(self, entry: int, name: str, part: str) -> Place:
        return Place(path=f"{self._folder}/{name}/{part}", folder=entry, name=part)


def _plain(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name in the quarantine")
    return name


def _same(one: Kept, other: Kept) -> bool:
    """Whether both are the same thing, whenever it was looked at."""

    def bare(kept: Kept) -> Kept:
        marks = msgspec.structs.replace(kept.marks, accessed_ns=None)
        return msgspec.structs.replace(kept, kept_at_wall_s=0.0, marks=marks)

    return bare(one) == bare(other)
