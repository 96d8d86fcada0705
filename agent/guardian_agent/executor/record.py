"""What is written down of a request: in the audit log, which counts, and in the journal, which is for reading."""

import asyncio
import contextlib
import logging
import os
import secrets
from typing import Any, NamedTuple

import msgspec

from guardian_agent.executor.audit import Audit, AuditError, Entry, Outcome
from guardian_agent.executor.lines import one_line
from guardian_agent.executor.threads import Work, work_of

LIMIT_S = 60.0  # a disk that is kept busy takes its time to sync
MOST_WAITING = 200  # lines that wait for a disk

log = logging.getLogger(__name__)


class Peer(NamedTuple):
    """The process that connected (unix(7), SO_PEERCRED)."""

    pid: int
    uid: int

    @classmethod
    def own(cls) -> "Peer":
        """This process: what it does by itself."""
        return cls(pid=os.getpid(), uid=os.geteuid())


class Record:
    """Writes lines, in order, in a thread of their own: a question whose thread hangs keeps nobody from them."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._waiting: set[asyncio.Task[None]] = set()

    async def write(self, entry: Entry, *, within_s: float | None = None) -> None:
        """Returns when the line is on disk, within `LIMIT_S` seconds or those that are given. Raises AuditError; a line
        that took too long may still come."""
        within_s = LIMIT_S if within_s is None else within_s
        writing = self._begin(entry)
        done, _ = await asyncio.wait({writing}, timeout=within_s)
        if not done:
            raise AuditError(f"the audit log was not written within {within_s:g} s")
        writing.result()

    async def refused(self, entry: Entry, *, within_s: float | None = None) -> None:
        """The same for what is not done: it stays so without its line, too."""
        with contextlib.suppress(AuditError):  # which is in the journal
            await self.write(entry, within_s=within_s)

    async def settle(self, within_s: float) -> None:
        """Returns when all lines are written, or the time is over."""
        if self._waiting:
            await asyncio.wait(set(self._waiting), timeout=within_s)

    def _begin(self, entry: Entry) -> asyncio.Task[None]:
        level = logging.INFO if entry.outcome in ("begun", "done", "answered") else logging.WARNING
        what, error = one_line(entry.what, 200), one_line(entry.error, 300)
        log.log(level, "user %d: %s: %s %s", entry.uid, what, entry.outcome, error)
        if len(self._waiting) >= MOST_WAITING:
            raise AuditError(f"{MOST_WAITING} lines wait to be written to the audit log")
        with work_of(Work.AUDIT):
            writing = asyncio.create_task(asyncio.to_thread(self._audit.write, entry), name="audit")
        self._waiting.add(writing)
        writing.add_done_callback(self._written)
        return writing

    def _written(self, writing: asyncio.Task[None]) -> None:
        self._waiting.discard(writing)
        if not writing.cancelled() and (error := writing.exception()):
            log.error("%s", error)

    def entry(
        self, peer: Peer, outcome: Outcome, what: str, request: dict[str, Any] | None = None, error: str = ""
    ) -> Entry:
        """A line about a request, under an id of its own."""
        return Entry(
            id=secrets.token_hex(6),
            uid=peer.uid,
            pid=peer.pid,
            outcome=outcome,
            what=what,
            request=request,
            error=error,
        )


def end_of(entry: Entry, outcome: Outcome, error: str = "") -> Entry:
    """The line that ends what another one began."""
    return msgspec.structs.replace(entry, outcome=outcome, request=None, error=error)
