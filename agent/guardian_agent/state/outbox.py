"""Records on their way to the aggregator: numbered without a hole, hash-chained, kept until they are acknowledged.

Each row's chain value is SHA-256(previous chain value ‖ record), 32 zero bytes before seq 1. When the outbox is full,
`overflow` turns records into gaps; a gap is sent in the place of the seqs it names.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from hashlib import sha256

import apsw
import msgspec

from guardian_agent.errors import StateError
from guardian_agent.model import Stamp
from guardian_agent.state.database import Database
from guardian_agent.state.overflow import Limits, make_room, mark_replaced
from guardian_agent.state.rows import CHAIN_START, GAP, Gap, Head, Row, one_row, row_at, rows_between

WINDOW = 10_000  # rows that may be sent beyond the last acknowledged one

_log = logging.getLogger(__name__)


class Entry(msgspec.Struct, frozen=True):
    """One record to append. `drop_rank`: lower is dropped first, None never. `incident_id`: of an incident's record."""

    kind: str
    record: bytes
    drop_rank: int | None = None
    incident_id: str | None = None


class Batch(msgspec.Struct, frozen=True):
    """Consecutive records; `last_seqs[n]` is the last seq that `records[n]` stands for."""

    first_seq: int
    prev_chain: bytes
    records: list[bytes]
    last_seqs: list[int]


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Where the outbox stands; `lowest_seq == next_seq` when it is empty."""

    epoch: bytes
    lowest_seq: int
    next_seq: int
    horizon: int  # no row that ends beyond it was ever sent
    rows: int  # records held, without gaps
    bytes: int  # of these records
    dropped: int  # records dropped since the state was made


class Outbox:
    """The queue between the journal and the stream. `append` runs on the writer thread, everything else on the loop."""

    def __init__(
        self,
        database: Database,
        encode_gap: Callable[[Gap, Stamp], bytes],
        limits: Limits | None = None,
        window: int = WINDOW,
    ) -> None:
        self._database = database
        self._encode_gap = encode_gap
        self._limits = limits or Limits()
        self._window = window
        self._bounds: Bounds | None = None
        self._news = asyncio.Event()
        self._said_dropping = False

    async def open(self) -> None:
        """Makes the epoch of a new outbox, or reads where an old one stands. Raises StateError."""
        await self._database.run_then(self._begin, self.publish)

    def bounds(self) -> Bounds:
        """Where the outbox stood after the last durable change."""
        if self._bounds is None:
            raise StateError("the outbox is not open")
        return self._bounds

    async def wait_beyond(self, seq: int) -> None:
        """Returns when there is a durable record with a higher seq."""
        while self.bounds().next_seq <= seq + 1:
            self._news.clear()
            await self._news.wait()

    async def batch(self, after_seq: int, max_records: int, max_bytes: int) -> Batch:
        """The records after `after_seq`: as many as fit both limits, and at least one where there is any.

        It starts earlier when `after_seq` lies inside a gap. At the horizon it is empty: acknowledgements come first.
        """
        return await self._database.run(lambda connection: self._read(connection, after_seq, max_records, max_bytes))

    async def acknowledge(self, seq: int) -> None:
        """Forgets everything through `seq`, for good; what is forgotten already is no error.

        Raises:
            StateError: there is no such record yet.
        """
        await self._database.run_then(lambda connection: self._forget(connection, seq), self.publish)

    async def renew_epoch(self) -> None:
        """A fresh epoch: what is not acknowledged is numbered from 1 again and chained anew; gaps keep their places."""
        await self._database.run_then(self._renew, self.publish)

    async def broken_at(self) -> int | None:
        """The first seq whose chain value does not follow from the records before it; None when all do. Of records
        that were dropped nothing is left to compare."""
        return await self._database.run(_first_break)

    def append(self, connection: apsw.Connection, entries: Sequence[Entry], at: Stamp) -> Bounds:
        """Adds records in the caller's transaction; when they do not fit, drops what matters least."""
        head = Head.load(connection)
        for entry in entries:
            if entry.incident_id is not None:
                mark_replaced(connection, entry.incident_id)
            head.chain = sha256(head.chain + entry.record).digest()
            connection.execute(
                "INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    head.next_seq,
                    head.next_seq,
                    entry.kind,
                    entry.drop_rank,
                    entry.incident_id,
                    entry.record,
                    head.chain,
                ),
            )
            head.next_seq += 1
            head.live_rows += 1
            head.live_bytes += len(entry.record)
        make_room(connection, head, self._limits, at)
        return _stored(connection, head)

    def publish(self, bounds: Bounds) -> None:
        """Makes a committed change known on the loop and wakes who waits for it."""
        if self._bounds is not None and bounds.dropped > self._bounds.dropped and not self._said_dropping:
            self._said_dropping = True
            _log.warning("the outbox is full: unsent records are being dropped, and gaps recorded in their place")
        if bounds.lowest_seq == bounds.next_seq:
            self._said_dropping = False
        self._bounds = bounds
        self._news.set()

    # From here on: the writer thread.

    def _begin(self, connection: apsw.Connection) -> Bounds:
        if connection.execute("SELECT count(*) FROM outbox_head").get == 0:
            connection.execute(
                "INSERT INTO outbox_head VALUES (?, 0, ?, ?, 1, ?, 0, 0, 0)",
                (os.urandom(16), CHAIN_START, self._window, CHAIN_START),
            )
        return _bounds(connection, Head.load(connection))

    def _read(self, connection: apsw.Connection, after_seq: int, max_records: int, max_bytes: int) -> Batch:
        head = Head.load(connection)
        start = row_at(connection, max(after_seq, head.acked) + 1)
        if start is None:
            return Batch(after_seq + 1, b"", [], [])
        before = row_at(connection, start.first_seq - 1)
        batch = Batch(start.first_seq, head.acked_chain if before is None else before.chain, [], [])
        size = 0
        for row in rows_between(connection, start.first_seq, head.horizon):
            record = self._sent_as(row)
            size += len(record)
            if batch.records and (size > max_bytes or len(batch.records) >= max_records):
                break
            batch.records.append(record)
            batch.last_seqs.append(row.last_seq)
        return batch

    def _sent_as(self, row: Row) -> bytes:
        if row.kind != GAP:
            return row.record
        dropped = row.dropped()
        gap = Gap(
            first_seq=row.first_seq,
            last_seq=row.last_seq,
            reason=dropped.reason,
            counts=dropped.counts,
            last_chain=row.chain,
        )
        return self._encode_gap(gap, dropped.at)

    def _forget(self, connection: apsw.Connection, seq: int) -> Bounds:
        head = Head.load(connection)
        if seq >= head.next_seq:
            raise StateError(f"cannot acknowledge record {seq}: the next one will be {head.next_seq}")
        last = row_at(connection, seq)
        if last is not None and last.last_seq > seq:  # inside a gap, which is kept whole
            last = row_at(connection, last.first_seq - 1)
        if last is None:
            return _bounds(connection, head)
        query = "SELECT count(*), ifnull(sum(length(record)), 0) FROM outbox WHERE first_seq <= ? AND kind <> ?"
        for rows, size in connection.execute(query, (last.first_seq, GAP)):
            head.live_rows -= rows
            head.live_bytes -= size
        connection.execute("DELETE FROM outbox WHERE first_seq <= ?", (last.first_seq,))
        head.acked, head.acked_chain = last.last_seq, last.chain
        head.horizon = max(head.horizon, head.acked + self._window)
        return _stored(connection, head)

    def _renew(self, connection: apsw.Connection) -> Bounds:
        head = Head.load(connection)
        shift, head.chain = head.acked, CHAIN_START
        seq = shift
        while (row := one_row(connection, "first_seq > ? ORDER BY first_seq", seq)) is not None:
            seq = row.first_seq
            # A gap's records are gone, so any value will do that follows from what is left of them.
            head.chain = sha256(head.chain + (row.chain if row.kind == GAP else row.record)).digest()
            connection.execute(
                "UPDATE outbox SET first_seq = ?, last_seq = ?, chain = ? WHERE first_seq = ?",
                (row.first_seq - shift, row.last_seq - shift, head.chain, seq),
            )
        head.epoch, head.acked, head.acked_chain = os.urandom(16), 0, CHAIN_START
        head.horizon, head.next_seq = self._window, head.next_seq - shift
        return _stored(connection, head)


def _first_break(connection: apsw.Connection) -> int | None:
    head = Head.load(connection)
    chain, seq = head.acked_chain, head.acked
    query = "SELECT first_seq, last_seq, kind, record, chain FROM outbox ORDER BY first_seq"
    for first_seq, last_seq, kind, record, stored in connection.execute(query):
        chain = stored if kind == GAP else sha256(chain + record).digest()
        if first_seq != seq + 1 or chain != stored:
            return seq + 1
        seq = last_seq
    return None if seq + 1 == head.next_seq and chain == head.chain else seq + 1


def _stored(connection: apsw.Connection, head: Head) -> Bounds:
    head.store(connection)
    return _bounds(connection, head)


def _bounds(connection: apsw.Connection, head: Head) -> Bounds:
    # A gap that begins at or below the horizon is sent whole, though it may end beyond it.
    across = row_at(connection, head.horizon) if head.horizon < head.next_seq else None
    return Bounds(
        epoch=head.epoch,
        lowest_seq=head.acked + 1,
        next_seq=head.next_seq,
        horizon=head.horizon if across is None else across.last_seq,
        rows=head.live_rows,
        bytes=head.live_bytes,
        dropped=head.dropped,
    )
