"""The agent's durable state: what the rest of the agent submits, recalls and counts."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

import apsw
import msgspec

from guardian_agent.errors import StateEndedError, StateError
from guardian_agent.model import Execution, Fact, Incident, Page, PlaybookCounters, Stamp, Transition
from guardian_agent.state import journal
from guardian_agent.state.database import Database
from guardian_agent.state.journal import ExecutionRow, IncidentRow, MemoryRow
from guardian_agent.state.outbox import WINDOW, Bounds, Entry, Outbox
from guardian_agent.state.overflow import Limits, drop_rank
from guardian_agent.state.rows import Gap

S = TypeVar("S", bound=msgspec.Struct)
Encode = Callable[[Fact | Gap, Stamp], bytes]

RESERVE_BYTES = 16 << 20
AGAIN_S = 5.0  # before what could not be written is tried again
MOST_UNSTORED = 2000  # submissions that are kept for that; later ones are lost, and said to be

_log = logging.getLogger(__name__)


class Remember(msgspec.Struct, frozen=True):
    """Store `value`, in the place of what was stored under the same kind and key."""

    kind: str
    key: str
    value: msgspec.Struct


class Forget(msgspec.Struct, frozen=True):
    """Delete what was remembered; nothing there is no error."""

    kind: str
    key: str


Change = Fact | Remember | Forget


class _Prepared(NamedTuple):
    """Changes as bytes, taken at the moment of submitting: incidents and executions go on changing."""

    rows: list[IncidentRow | ExecutionRow | MemoryRow]
    entries: list[Entry]
    at: Stamp


class State:
    """One folder of durable state. Made by `open`, ended by `close`; everything else is for the loop, at any time."""

    def __init__(self, database: Database, outbox: Outbox, encode: Encode, now: Callable[[], Stamp]) -> None:
        self.outbox = outbox
        self.now = now
        self._database = database
        self._encode = encode
        self._unstored: list[_Prepared] = []  # what could not be written yet, oldest first
        self._again: asyncio.TimerHandle | None = None
        self._closed = False

    @classmethod
    async def open(
        cls,
        folder: Path,
        encode: Encode,
        now: Callable[[], Stamp],
        *,
        failed: Callable[[StateError], None] = lambda _: None,
        limits: Limits | None = None,
        window: int = WINDOW,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> "State":
        """Opens the state in `folder`, or makes it.

        `encode` turns facts and gaps into the outbox's records; `failed` is called each time that a transaction is lost
        (disk full, I/O error). `limits` bounds the outbox, `window` the rows that the stream may have under way;
        `reserve_bytes` of disk are kept aside for when it is full.

        Raises:
            StateError: the folder cannot be used, another agent uses it, or a newer agent wrote it.
        """
        database = await Database.open(folder / "state.db", failed=failed, reserve_bytes=reserve_bytes)
        outbox = Outbox(database, encode, limits, window)
        try:
            await outbox.open()
        except StateError:
            await database.close()
            raise
        return cls(database, outbox, encode, now)

    def submit(self, *changes: Change) -> "asyncio.Future[None]":
        """Stores all the changes in one transaction, in this order; the future resolves when they are durable.

        Every fact becomes one record of the outbox; incidents and executions also their row in the journal. The
        arguments are encoded before this returns, so they may change afterwards. A failed future carries StateError,
        and is logged even when nobody awaits it; what was to be stored is kept, and tried again until it is.

        Raises:
            TypeError, ValueError: a fact holds what cannot be written; nothing of the call is stored.
        """
        return self._store([*self._take_unstored(), self._prepare(changes)])

    def _store(self, all_prepared: list[_Prepared]) -> "asyncio.Future[None]":
        """Stores them in one transaction; where that fails they are kept, and tried again with what comes next."""

        def work(connection: apsw.Connection) -> Bounds:
            bounds = self.outbox.bounds()
            for prepared in all_prepared:
                for row in prepared.rows:
                    row.put(connection)
                bounds = self.outbox.append(connection, prepared.entries, prepared.at)
            return bounds

        future = self._database.run_then(work, self.outbox.publish)
        future.add_done_callback(lambda stored: self._keep_unstored(all_prepared, stored))
        return future

    def _take_unstored(self) -> list[_Prepared]:
        unstored, self._unstored = self._unstored, []
        return unstored

    def _keep_unstored(self, all_prepared: list[_Prepared], stored: "asyncio.Future[None]") -> None:
        error = None if stored.cancelled() else stored.exception()
        if not isinstance(error, StateError) or isinstance(error, StateEndedError) or self._closed:
            return
        # Transactions end in the order of submitting, so what fails now is later than what has failed before.
        unstored = [*self._unstored, *all_prepared]
        self._unstored = unstored[:MOST_UNSTORED]
        if lost := len(unstored) - len(self._unstored):
            _log.error("nothing can be stored, and no more is kept for later: %d submissions are lost", lost)
        if self._again is None:
            self._again = asyncio.get_running_loop().call_later(AGAIN_S, self._store_again)

    def _store_again(self) -> None:
        self._again = None
        if unstored := self._take_unstored():
            self._store(unstored)

    async def recall(self, kind: str, type_: type[S]) -> dict[str, S]:
        """What was remembered of one kind, by key. A value that is no longer a `type_` is logged and left out."""
        rows = await self._database.run(lambda connection: journal.remembered(connection, kind))
        return dict(_decoded(rows, type_))

    async def open_incidents(self) -> list[Incident]:
        """The incidents that are not closed, oldest first."""
        rows = await self._database.run(journal.open_incidents)
        return [incident for _, incident in _decoded(rows, Incident)]

    async def unfinished_executions(self) -> list[Execution]:
        """The executions without an outcome, oldest first: after a start, those that the last run left behind."""
        rows = await self._database.run(journal.unfinished_executions)
        return [execution for _, execution in _decoded(rows, Execution)]

    async def recent_executions(self, limit: int = 20) -> list[Execution]:
        """The newest executions, running ones included, newest first."""
        rows = await self._database.run(lambda connection: journal.recent_executions(connection, limit))
        return [execution for _, execution in _decoded(rows, Execution)]

    async def counters(self) -> dict[str, PlaybookCounters]:
        """The durable counters of every playbook that has ever run here."""
        return await self._database.run(journal.counters)

    async def broken_chain(self) -> str:
        """What is wrong with the records that wait for the aggregator; empty when each follows from the one before."""
        broken_at = await self.outbox.broken_at()
        return f"record {broken_at} does not follow from those before it" if broken_at is not None else ""

    async def tell_again(self) -> None:
        """Puts the newest record of every incident and execution in the journal into the outbox once more, for an
        aggregator that has lost what it had of them."""
        at = self.now()

        def work(connection: apsw.Connection) -> Bounds:
            facts: list[Fact] = [incident for _, incident in _decoded(journal.incidents(connection), Incident)]
            facts += [execution for _, execution in _decoded(journal.recent_executions(connection, -1), Execution)]
            return self.outbox.append(connection, [self._entry(fact, at) for fact in facts], at)

        await self._database.run_then(work, self.outbox.publish)

    async def close(self) -> None:
        """Stores what was submitted and closes the file."""
        self._closed = True
        if self._again is not None:
            self._again.cancel()
        if unstored := self._take_unstored():
            self._store(unstored)  # a last time
        await self._database.close()

    def _prepare(self, changes: Iterable[Change]) -> _Prepared:
        prepared = _Prepared([], [], self.now())
        for change in changes:
            match change:
                case Remember(kind, key, value):
                    prepared.rows.append(MemoryRow(kind, key, msgspec.json.encode(value)))
                case Forget(kind, key):
                    prepared.rows.append(MemoryRow(kind, key, None))
                case _:
                    self._prepare_fact(change, prepared)
        return prepared

    def _prepare_fact(self, fact: Fact, prepared: _Prepared) -> None:
        match fact:
            case Incident():
                body = msgspec.json.encode(fact)
                prepared.rows.append(IncidentRow(fact.incident_id, fact.closed_at is not None, body))
            case Execution():
                body = msgspec.json.encode(fact)
                started = fact.started_at.wall_ns
                prepared.rows.append(ExecutionRow(fact.execution_id, fact.playbook, fact.outcome, started, body))
            case Transition() | Page():
                pass
        prepared.entries.append(self._entry(fact, prepared.at))

    def _entry(self, fact: Fact, at: Stamp) -> Entry:
        incident_id = fact.incident_id if isinstance(fact, Incident) else None
        return Entry(fact.record_kind, self._encode(fact, at), drop_rank(fact), incident_id)


def _decoded(rows: Iterable[tuple[str, bytes]], type_: type[S]) -> list[tuple[str, S]]:
    decoded = []
    for key, body in rows:
        try:
            decoded.append((key, msgspec.json.decode(body, type=type_)))
        except msgspec.DecodeError as error:
            _log.error("stored %s %s cannot be read and is left out: %s", type_.__name__, key, error)
    return decoded
