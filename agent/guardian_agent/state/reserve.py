"""Disk space kept aside, so that the journal can still be written on a full disk, and the full disk be healed."""

import logging
import os
import time
from pathlib import Path

from guardian_agent.errors import StateError

TAKE_BACK_S = 60.0  # between attempts to set the space aside anew

_log = logging.getLogger(__name__)


class Reserve:
    """A preallocated file of `size` bytes beside the database; with size 0 there is none."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self._given_up_at_s: float | None = None

    def keep(self) -> None:
        """Allocates the file unless it is there. A disk without room for it is only logged: starting matters more.

        Raises:
            StateError: the folder cannot be used at all.
        """
        if self._size == 0:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StateError(f"{self._path.parent}: cannot be used as state folder: {error.strerror}") from error
        if (failure := self._allocate()) is not None:
            _log.warning("%s: no reserve for a full disk: %s", self._path, failure.strerror)

    def _allocate(self) -> OSError | None:
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.posix_fallocate(file, 0, self._size)
            finally:
                os.close(file)
        except OSError as error:
            return error
        return None

    def take_back(self) -> None:
        """Sets the space aside anew, now and then, after it was given up: the next full disk needs it as well."""
        now_s = time.monotonic()
        if self._given_up_at_s is not None and now_s - self._given_up_at_s >= TAKE_BACK_S:
            self._given_up_at_s = now_s if self._allocate() else None

    def give_up(self) -> bool:
        """Frees the space. False when there is none left to free."""
        if self._size == 0:
            return False
        try:
            self._path.unlink()
        except OSError:
            return False
        self._given_up_at_s = time.monotonic()
        _log.error("%s: the disk is full; the reserve of %d bytes is now in use", self._path, self._size)
        return True
