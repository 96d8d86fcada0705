"""What was really deleted? A plan only says what is to go. Of each of the last operations root keeps a file."""

import logging
import os
import time
from pathlib import Path

import msgspec

from guardian_agent.host.as_root import paths
from guardian_agent.host.as_root.paths import Marks, Place
from guardian_agent.host.questions import Cleaned, ListCleaned

log = logging.getLogger(__name__)

FOLDER = "/var/lib/guardian-executor/cleaned"
KEPT = 50  # operations
MOST_BYTES = 1 << 20  # of one: it has at most 200 files


def note(cleaned: Cleaned, folder: str | None = None) -> None:
    """Keeps it; a disk that is still too full for that loses no more than this."""
    try:
        with paths.private_folder(folder or FOLDER) as kept:
            name = f"{time.time_ns():020}.json"
            paths.create(Place(path=name, folder=kept, name=name), msgspec.json.encode(cleaned), Marks(mode=0o600))
            for old in sorted(os.listdir(kept))[:-KEPT]:  # noqa: PTH208 - by descriptor
                paths.remove(Place(path=old, folder=kept, name=old))
    except (OSError, ValueError) as error:
        log.warning("what was deleted below %s is not written down: %s", cleaned.folder, error)


def since(question: ListCleaned, folder: str | None = None) -> tuple[Cleaned, ...]:
    """What is kept; whatever makes no sense is left out. Raises OSError."""
    found: list[Cleaned] = []
    if not Path(folder or FOLDER).is_dir():  # nothing was ever deleted, and asking makes no folder
        return ()
    with paths.private_folder(folder or FOLDER) as kept:
        for name in sorted(os.listdir(kept)):  # noqa: PTH208 - by descriptor
            try:
                raw = paths.read(Place(path=name, folder=kept, name=name), MOST_BYTES)
                one = msgspec.json.decode(raw, type=Cleaned)
            except (OSError, ValueError, RecursionError) as error:
                log.warning("%s makes no sense: %s", name, error)
                continue
            if one.at_wall_ns >= question.since_wall_ns:
                found.append(one)
    return tuple(found)
