"""What was there before root changed it, and what did root make of it?

Root's own record, so that what is put back is never the agent's word. It is about what holds until the next boot, and
so it does, too; it outlives the executor, which ends when there is nothing to do.
"""

import hashlib
from contextlib import AbstractContextManager

import msgspec

from guardian_agent.host.as_root import paths

FOLDER = "/run/guardian/before"
MOST_BYTES = 65536


class Was(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that root has changed; `what` names it."""

    what: str
    before: str
    now: str  # what root changed it to
    set_before: bool = True  # of a limit: somebody had set it until the next boot


class Memory:
    """Keeps what was, of each thing that root changed, before its last change. The functions raise OSError."""

    def __init__(self, folder: str = FOLDER) -> None:
        self._folder = folder

    def note(self, was: Was) -> None:
        """Keeps it; the same change once more, which sees what it made itself, leaves what is kept."""
        known = self.of(was.what)
        if known is not None and was.before == was.now == known.now:
            return
        with paths.private_folder(self._folder), self._place(was.what) as where:
            paths.replace(where, msgspec.json.encode(was), paths.Marks(mode=0o600))

    def of(self, what: str) -> Was | None:
        """What was; None where root has changed nothing, or what is kept cannot be read."""
        try:
            with self._place(what) as where:
                was = msgspec.json.decode(paths.read(where, MOST_BYTES), type=Was)
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return was if was.what == what else None

    def forget(self, what: str) -> None:
        """It is put back."""
        with self._place(what) as where:
            paths.remove(where)

    def _place(self, what: str) -> AbstractContextManager[paths.Place]:
        return paths.place(f"{self._folder}/{hashlib.sha256(what.encode()).hexdigest()}.json")
