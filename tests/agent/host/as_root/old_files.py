"""Files that are old enough to go."""

import os
import time
from pathlib import Path

from guardian_agent.host.as_root import cleanup
from guardian_agent.host.as_root.removable import seen
from guardian_agent.host.operations import DeleteFiles
from guardian_agent.host.operations.cleanup import SeenFile

AN_HOUR_S = 3600.0
TEXT = b"GET / 200\n" * 1000


def old(path: Path, content: bytes = TEXT) -> SeenFile:
    """A file of two hours ago, as a plan sees it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    then = time.time() - 2 * AN_HOUR_S
    os.utime(path, (then, then))
    return seen(path.name, path.stat())


def fields(file: SeenFile) -> dict[str, object]:
    return {name: getattr(file, name) for name in file.__struct_fields__}


async def delete(folder: Path, *files: SeenFile, min_age_s: float = AN_HOUR_S) -> None:
    await cleanup.do(DeleteFiles(str(folder), files, min_age_s))
