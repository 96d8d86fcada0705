"""What only root can read of what fills a file system."""

from typing import ClassVar

import msgspec

from guardian_agent.host.operations.cleanup import SeenFile
from guardian_agent.host.questions.base import Question


class Removable(msgspec.Struct, frozen=True, kw_only=True):
    """What could be removed below one folder."""

    folder: str  # the folder itself, or the mount point where that lies below it
    files: tuple[SeenFile, ...] = ()  # oldest first


class FoundRemovable(msgspec.Struct, frozen=True, kw_only=True):
    """What could go from one file system."""

    folders: tuple[Removable, ...] = ()
    journal_bytes: int = 0  # what the journal takes of this file system
    spared_open: int = 0  # files that could go, but for whoever has them open


class ListRemovable(Question[FoundRemovable], frozen=True, tag=True):
    """The regular files on the file system mounted at `mount`, below `folders`, with one of these names, not changed
    for `min_age_s` seconds, with one name only, and open to nobody. No link is followed, and no other mount entered."""

    answer_type: ClassVar = FoundRemovable
    mount: str
    folders: tuple[str, ...]
    names: tuple[str, ...]
    min_age_s: float
    most: int = 2000

    def describe(self) -> str:
        return f"what could be removed from {self.mount}"


class HeldFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file without a name any more, whose room is free once its last holder closes it."""

    pid: int
    program: str
    unit: str  # of the process; empty: of none
    name: str  # that it had
    allocated_bytes: int


class ListHeldFiles(Question[tuple[HeldFile, ...]], frozen=True, tag=True):
    """Deleted files on the file system mounted at `mount` that processes have open, largest first."""

    answer_type: ClassVar = tuple[HeldFile, ...]
    mount: str
    most: int = 50  # of at most 1000

    def describe(self) -> str:
        return f"the deleted files that still take room on {self.mount}"


class Spared(msgspec.Struct, frozen=True):
    """A file that was to go, and stayed."""

    path: str
    why: str  # as the end of a sentence about it


class Cleaned(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one operation that deletes files, as root saw it."""

    at_wall_ns: int
    folder: str
    deleted: tuple[str, ...] = ()
    deleted_bytes: int = 0
    spared: tuple[Spared, ...] = ()


class ListCleaned(Question[tuple[Cleaned, ...]], frozen=True, tag=True):
    """What was really deleted, and what was spared, since a time of day; of the last operations only, oldest first."""

    answer_type: ClassVar = tuple[Cleaned, ...]
    since_wall_ns: int

    def describe(self) -> str:
        return "which files were deleted"


CleanupQuestion = ListRemovable | ListHeldFiles | ListCleaned
