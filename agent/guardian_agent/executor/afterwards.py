"""What is armed, for the executor that comes after one that was killed."""

import contextlib
import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import msgspec

from guardian_agent.executor.arming import MOST_BYTES
from guardian_agent.host.operations import RootOperation

FILE = Path("/run/guardian/armed.json")  # in memory: a boot makes the network anew, and nothing is to be taken back
LIMIT = MOST_BYTES + 1024 * 1024  # bytes

log = logging.getLogger(__name__)


class Afterwards:
    """A file that says what is to be taken back, oldest first, at all times."""

    def __init__(self, file: Path = FILE) -> None:
        self._file = file

    def note(self, undos: Sequence[RootOperation]) -> None:
        """From now on a killed executor leaves these. A file that cannot be written is in the journal, and no more:
        this process knows what is armed."""
        new = self._file.with_name(f".{self._file.name}.new")
        try:
            if not undos:
                self._file.unlink(missing_ok=True)
                return
            new.unlink(missing_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(list(undos)))
            new.replace(self._file)
        except OSError as error:
            log.error("%s: what is armed is not known after a crash: %s", self._file, error.strerror)

    def left(self) -> list[RootOperation]:
        """What an executor that was killed has left. A file that makes no sense, or that another user could have
        written, says nothing, and is removed."""
        try:
            raw = self._read()
        except FileNotFoundError:
            return []
        except OSError as error:
            log.error("%s: what was armed cannot be told: %s", self._file, error.strerror or error)
            return []
        try:
            undos = msgspec.json.decode(raw, type=list[RootOperation])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            log.error("%s makes no sense: %s", self._file, type(error).__name__)
            with contextlib.suppress(OSError):
                self._file.unlink()
            return []
        return [undo for undo in undos if undo.may_cut_off]

    def _read(self) -> bytes:
        descriptor = os.open(self._file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
                raise OSError("others than root may write it")
            return file.read(LIMIT)
