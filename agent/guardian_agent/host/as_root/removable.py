"""What fills a file system, and what of it could go?"""

import asyncio
import contextlib
import heapq
import os
import time

from guardian_agent.errors import ProbeError, RefusedOperationError
from guardian_agent.host.as_root import open_files
from guardian_agent.host.as_root.below import opened_folder, regular_files
from guardian_agent.host.operations.cleanup import SeenFile, beneath, matches
from guardian_agent.host.questions import FoundRemovable, HeldFile, ListHeldFiles, ListRemovable, Removable

LIMIT_S = 15.0
MOST_FOLDERS = 20_000  # below one folder: a cache may have millions of files, and a plan waits
JOURNAL = "/var/log/journal"


async def removable(question: ListRemovable) -> FoundRemovable:
    """Raises ProbeError."""
    try:
        async with asyncio.timeout(LIMIT_S):
            return await asyncio.to_thread(_removable, question)
    except (TimeoutError, OSError) as error:
        raise ProbeError(f"{question.describe()}: {error or f'not known within {LIMIT_S:g} s'}") from error


async def held_files(question: ListHeldFiles) -> tuple[HeldFile, ...]:
    """Raises ProbeError."""
    try:
        async with asyncio.timeout(LIMIT_S):
            return await asyncio.to_thread(lambda: tuple(_held(question)))
    except (TimeoutError, OSError) as error:
        raise ProbeError(f"{question.describe()}: {error or f'not known within {LIMIT_S:g} s'}") from error


def _held(question: ListHeldFiles) -> list[HeldFile]:
    return open_files.held_files(os.stat(question.mount).st_dev)[: question.most]  # noqa: PTH116


def _removable(question: ListRemovable) -> FoundRemovable:
    device = os.stat(question.mount).st_dev  # noqa: PTH116
    deadline_s = time.monotonic() + LIMIT_S / 2
    opened = open_files.open_files()
    folders, spared = [], 0
    for allowed in question.folders:
        # One that the file system is mounted below is not itself on it.
        folder = question.mount if beneath(question.mount, allowed) else allowed
        with contextlib.suppress(OSError, RefusedOperationError):
            files, held = _old_files(folder, device, question, opened, deadline_s)
            spared += held
            if files:
                folders.append(Removable(folder=folder, files=tuple(files)))
    return FoundRemovable(folders=tuple(folders), journal_bytes=_journal_bytes(device), spared_open=spared)


def _old_files(
    folder: str, device: int, question: ListRemovable, opened: frozenset[tuple[int, int]], deadline_s: float
) -> tuple[list[SeenFile], int]:
    """The oldest files that may go, and how many more could but for being open."""
    newest_ns = time.time_ns() - int(question.min_age_s * 1e9)
    found: list[SeenFile] = []
    held = 0
    with opened_folder(folder) as start:
        if os.fstat(start).st_dev != device:
            return [], 0
        for path, state in regular_files(start, MOST_FOLDERS):
            if time.monotonic() > deadline_s:
                break
            mine = state.st_dev == device and state.st_nlink == 1  # with another name, deleting one frees nothing
            if not mine or state.st_mtime_ns > newest_ns or not matches(path, question.names):
                continue
            if (
                not path.isprintable()
            ):  # nobody could read in a plan what it is; undecodable ones cannot be written down
                continue
            if (state.st_dev, state.st_ino) in opened:
                held += 1
                continue
            found.append(seen(path, state))
    return heapq.nsmallest(question.most, found, key=lambda file: file.modified_wall_ns), held


def seen(path: str, state: os.stat_result) -> SeenFile:
    return SeenFile(
        path=path,
        device=state.st_dev,
        inode=state.st_ino,
        size_bytes=state.st_size,
        allocated_bytes=state.st_blocks * 512,
        modified_wall_ns=state.st_mtime_ns,
    )


def _journal_bytes(device: int) -> int:
    with contextlib.suppress(OSError, RefusedOperationError), opened_folder(JOURNAL) as journal:
        if os.fstat(journal).st_dev == device:
            return sum(state.st_blocks * 512 for _, state in regular_files(journal, MOST_FOLDERS))
    return 0
