"""How is room made on a file system, without ever taking what is in use?"""

import asyncio
import contextlib
import logging
import os
import time
from functools import partial

from guardian_agent.errors import OperationError
from guardian_agent.host.as_root import cleaned, compressing
from guardian_agent.host.as_root.below import opened_folder, parent_of
from guardian_agent.host.as_root.deadline import Deadline, carry_out
from guardian_agent.host.as_root.open_files import open_files
from guardian_agent.host.as_root.staying import why_it_stays
from guardian_agent.host.operations import CompressFile, DecompressFile, DeleteFiles, VacuumJournal
from guardian_agent.host.questions import Cleaned, Spared

log = logging.getLogger(__name__)

LIMIT_S = 120.0
JOURNALCTL = "/usr/bin/journalctl"


async def do(operation: DeleteFiles | CompressFile | DecompressFile | VacuumJournal) -> None:
    """Raises OperationError."""
    match operation:
        case DeleteFiles():
            change = partial(_delete, operation)
        case CompressFile():
            change = partial(compressing.compress, operation)
        case DecompressFile():
            change = partial(compressing.decompress, operation)
        case VacuumJournal():
            await _vacuum(operation)
            return
    await carry_out(operation.describe(), change, LIMIT_S)


def _delete(operation: DeleteFiles, deadline: Deadline) -> None:
    deleted: dict[str, int] = {}
    spared: list[Spared] = []
    with opened_folder(operation.folder) as folder:
        opened = open_files(folder, deadline)
        try:
            for file in operation.files:
                with contextlib.suppress(FileNotFoundError), parent_of(folder, file.path) as (parent, name):
                    state = os.stat(name, dir_fd=parent, follow_symlinks=False)
                    if why := why_it_stays(state, file, operation.min_age_s, opened):
                        spared.append(Spared(file.path, why))
                        continue
                    deadline.check()
                    os.unlink(name, dir_fd=parent)
                    deleted[file.path] = state.st_blocks * 512
        finally:
            cleaned.note(
                Cleaned(
                    at_wall_ns=time.time_ns(),
                    folder=operation.folder,
                    deleted=tuple(deleted),
                    deleted_bytes=sum(deleted.values()),
                    spared=tuple(spared),
                )
            )
    if spared:
        shown = "; ".join(f"{one.path} {one.why}" for one in spared[:10])
        log.warning("%s: %d left: %s", operation.folder, len(spared), shown)


async def _vacuum(operation: VacuumJournal) -> None:
    try:
        async with asyncio.timeout(LIMIT_S):
            await _journalctl(operation)
    except TimeoutError as error:  # it was killed: what is deleted is deleted, and no more will be
        raise OperationError(f"{operation.describe()}: not done within {LIMIT_S:g} s") from error
    except OSError as error:
        raise OperationError(f"{operation.describe()}: {error.strerror or error}") from error


async def _journalctl(operation: VacuumJournal) -> None:
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
