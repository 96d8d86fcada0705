"""What fills a file system, and what of it could go?"""

import asyncio
import contextlib
import heapq
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from guardian_agent.errors import ProbeError, RefusedOperationError
from guardian_agent.host.as_root import cleaned, open_files
from guardian_agent.host.as_root.below import opened_folder, regular_files
from guardian_agent.host.as_root.deadline import Deadline, TooLateError
from guardian_agent.host.as_root.open_files import Opened
from guardian_agent.host.operations.cleanup import SeenFile, beneath, matches
from guardian_agent.host.questions import (
    Cleaned,
    FoundRemovable,
    HeldFile,
    ListCleaned,
    ListHeldFiles,
    ListRemovable,
    Question,
    Removable,
)

Q = TypeVar("Q", bound=Question[Any])
T = TypeVar("T")

LIMIT_S = 15.0
MOST_FOLDERS = 20_000  # below one folder: a cache may have millions of files, and a plan waits
JOURNAL = "/var/log/journal"


async def removable(question: ListRemovable) -> FoundRemovable:
    """Raises ProbeError."""
    return await _told(question, _removable)


async def held_files(question: ListHeldFiles) -> tuple[HeldFile, ...]:
    """Raises ProbeError."""
    return await _told(question, _held)


async def deleted(question: ListCleaned) -> tuple[Cleaned, ...]:
    """Raises ProbeError."""
    return await _told(question, lambda asked, _: cleaned.since(asked))


async def _told(question: Q, answer: Callable[[Q, Deadline], T]) -> T:
    try:
        async with asyncio.timeout(LIMIT_S):
            return await asyncio.to_thread(answer, question, Deadline(LIMIT_S))
    except (TimeoutError, TooLateError) as error:
        raise ProbeError(f"{question.describe()}: not known within {LIMIT_S:g} s") from error
    except OSError as error:
        raise ProbeError(f"{question.describe()}: {error}") from error


def _held(question: ListHeldFiles, deadline: Deadline) -> tuple[HeldFile, ...]:
    with _mounted(question.mount) as mount:
        return tuple(open_files.held_files(mount, deadline)[: question.most])


def _removable(question: ListRemovable, deadline: Deadline) -> FoundRemovable:
    walk_until = Deadline(LIMIT_S / 2)
    with _mounted(question.mount) as mount:
        device, opened = os.fstat(mount).st_dev, open_files.open_files(mount, deadline)
    folders, spared = [], 0
    for allowed in question.folders:
        if walk_until.passed:
            break
        # One that the file system is mounted below is not itself on it.
        folder = question.mount if beneath(question.mount, allowed) else allowed
        with contextlib.suppress(OSError, RefusedOperationError):
            files, held = _old_files(folder, device, question, opened, walk_until)
            spared += held
            if files:
                folders.append(Removable(folder=folder, files=tuple(files)))
    journal_bytes = _journal_bytes(device, deadline)
    return FoundRemovable(folders=tuple(folders), journal_bytes=journal_bytes, spared_open=spared)


@contextlib.contextmanager
def _mounted(path: str) -> Iterator[int]:
    """A descriptor of the folder where something is mounted. Raises OSError."""
    mount = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield mount
    finally:
        os.close(mount)


def _old_files(
    folder: str, device: int, question: ListRemovable, opened: Opened, until: Deadline
) -> tuple[list[SeenFile], int]:
    """The oldest files that may go, and how many more could but for being open."""
    newest_ns = time.time_ns() - int(question.min_age_s * 1e9)
    held = 0

    def free(start: int) -> Iterator[SeenFile]:
        nonlocal held
        for path, state in regular_files(start, folder, MOST_FOLDERS, until):
            mine = state.st_dev == device and state.st_nlink == 1  # with another name, deleting one frees nothing
            if not mine or state.st_mtime_ns > newest_ns or not matches(path, question.names):
                continue
            if not path.isprintable():  # nobody could read what it is; undecodable ones cannot be written down
                continue
            if opened.has(state):
                held += 1
                continue
            yield seen(path, state)

    with opened_folder(folder) as start:
        if os.fstat(start).st_dev != device:
            return [], 0
        oldest = heapq.nsmallest(question.most, free(start), key=lambda file: file.modified_wall_ns)
    return oldest, held


def seen(path: str, state: os.stat_result) -> SeenFile:
    return SeenFile(
        path=path,
        device=state.st_dev,
        inode=state.st_ino,
        size_bytes=state.st_size,
        allocated_bytes=state.st_blocks * 512,
        modified_wall_ns=state.st_mtime_ns,
    )


def _journal_bytes(device: int, until: Deadline) -> int:
    with contextlib.suppress(OSError, RefusedOperationError), opened_folder(JOURNAL) as journal:
        if os.fstat(journal).st_dev == device:
            return sum(state.st_blocks * 512 for _, state in regular_files(journal, JOURNAL, MOST_FOLDERS, until))
    return 0
