"""The write side of the store: what an agent says is durable when these return."""

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import apsw
import msgspec

from guardian_aggregator.errors import GuardianError, Refused, StoreError
from guardian_aggregator.model import (
    CHAIN_START,
    AgentHello,
    GapRow,
    Greeting,
    PageRow,
    RecordBatch,
    StreamId,
    TransitionRow,
)
from guardian_aggregator.store.database import open_writer, own
from guardian_aggregator.store.projection import (
    count,
    drop_unwatched,
    lost_through,
    put_gap,
    put_labels,
    put_page,
    put_playbooks,
    put_records,
)
from guardian_aggregator.store.rollups import settle
from guardian_aggregator.store.sequence import Position, fit
from guardian_aggregator.store.writer import Work, Writer

_DISCONNECT_SQL = "UPDATE agents SET connected = 0 WHERE connected"
_FOLLOWED = 10_000  # records, more than are ever in flight
_log = logging.getLogger(__name__)

_AGENT_SQL = """
INSERT INTO agents
  (agent_id, labels, agent_version, mode, boot_id, targets, watches, connected, first_seen_at, last_seen_at, stream,
   clock_offset_seconds)
VALUES (:agent_id, :labels, :agent_version, :mode, :boot_id, :targets, :watches, 1, :at, :at, :stream,
   :clock_offset_seconds)
ON CONFLICT (agent_id) DO UPDATE SET labels = excluded.labels, agent_version = excluded.agent_version,
  mode = excluded.mode, boot_id = excluded.boot_id, targets = excluded.targets,
  watches = excluded.watches, connected = 1,
  last_seen_at = excluded.last_seen_at, stream = excluded.stream, clock_offset_seconds = excluded.clock_offset_seconds
"""


class Store:
    """Owns the database of one aggregator: no second process can open it to write.

    This version deletes nothing that it has stored: the file grows with every record.
    """

    def __init__(self, path: Path) -> None:
        """Opens or makes the database.

        Raises:
            StoreError: it cannot be used, another aggregator has it, or a newer version made it.
        """
        self.path = path
        self._release = own(path)
        try:
            connection = open_writer(path)
            _nobody_connected(connection)
        except apsw.Error as error:
            self._release()
            raise StoreError(f"{path}: {error}") from error
        except StoreError:
            self._release()
            raise
        self._writer = Writer(connection, each_commit=_finish)

    async def greet(self, hello: AgentHello, at_ns: int) -> Greeting:
        """Records that the agent connected; returns where its stream stands.

        Records that its outbox no longer holds and that are not here either become a gap `lost_by_server`.

        Raises:
            Refused: EPOCH_FORK, its next seq is one that is stored here already.
            StoreError: nothing was stored.
        """
        return await self._writer.write(partial(_greet, hello=hello, at_ns=at_ns))

    async def commit(self, batches: Sequence[RecordBatch], at_ns: int) -> list[int | GuardianError]:
        """Stores the batches, each whole or not at all; answers each one's watermark, or why nothing of it is stored.

        Records, rows, watermark and chain move in one transaction, together with whatever else waits to be written.
        """
        pending = [self._writer.write(partial(_commit, batch=batch, at_ns=at_ns)) for batch in batches]
        outcomes = await asyncio.gather(*pending, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, GuardianError):
                raise outcome
        return [outcome for outcome in outcomes if isinstance(outcome, int | GuardianError)]

    async def refused(self, code: str, page: PageRow | None = None) -> bool:
        """Counts a refusal, and stores the page about it; False when there was that page already."""

        def work(connection: apsw.Connection) -> bool:
            count(connection, Counter({("refusals", code): 1}))
            return page is not None and put_page(connection, page)

        return await self._writer.write(work)

    async def touch(self, present: dict[str, bool], at_ns: int) -> None:
        """Records who is connected: the agents in `present` and no others. Those that it says True of are seen now."""
        here = list(present)
        seen = [agent_id for agent_id, greeted in present.items() if greeted]

        def work(connection: apsw.Connection) -> None:
            connection.execute(
                "UPDATE agents SET connected = 1, last_seen_at = ? WHERE agent_id IN (SELECT value FROM json_each(?))",
                (at_ns, msgspec.json.encode(seen).decode()),
            )
            connection.execute(
                "UPDATE agents SET connected = 0 WHERE connected AND agent_id NOT IN (SELECT value FROM json_each(?))",
                (msgspec.json.encode(here).decode(),),
            )

        await self._writer.write(work)

    async def parted(self, agent_id: str, at_ns: int) -> None:
        """Records that the agent is no longer connected."""

        def work(connection: apsw.Connection) -> None:
            connection.execute(
                "UPDATE agents SET connected = 0, last_seen_at = ? WHERE agent_id = ?",
                (at_ns, agent_id),
            )

        await self._writer.write(work)

    @property
    def pulse(self) -> int | None:
        """How many transactions have ended, well or badly; None while there is nothing to write."""
        return self._writer.pulse

    @property
    def failure(self) -> str | None:
        """Why the newest transaction could not be stored (a full disk, say); None when it was. Costs nothing to ask."""
        return self._writer.failure

    async def write(self, work: Work[None]) -> None:
        """Does `work` in the writer's next transaction: for what has no method of its own."""
        await self._writer.write(work)

    def close(self) -> None:
        """Writes what is waiting, closes the database and gives it up."""
        self._writer.close()
        self._release()


def _finish(connection: apsw.Connection) -> None:
    """The last of every transaction."""
    settle(connection)
    count(connection, Counter({("commits", ""): 1}))


def _nobody_connected(connection: apsw.Connection) -> None:
    """Whoever was here when the process before this one ended is not any more."""
    try:
        connection.execute(_DISCONNECT_SQL)
    except (apsw.FullError, apsw.IOError) as error:  # what is stored can be read all the same; `touch` makes it true
        _log.error("nothing can be stored yet: %s", error)


def _greet(connection: apsw.Connection, *, hello: AgentHello, at_ns: int) -> Greeting:
    stream, position = _find(connection, hello.stream) or _new_stream(connection, hello.stream, at_ns)
    if hello.next_seq <= position.watermark:
        detail = f"the agent's next record is {hello.next_seq}, but {position.watermark} are stored of this epoch"
        raise Refused("EPOCH_FORK", detail, position.watermark)
    if hello.lowest_seq > position.watermark + 1:
        position = _lose(connection, stream, hello, position, at_ns)
    agent_id = hello.stream.agent_id
    connection.execute(
        _AGENT_SQL,
        {
            "agent_id": agent_id,
            "labels": msgspec.json.encode(hello.labels).decode(),
            "agent_version": hello.agent_version,
            "mode": hello.mode,
            "boot_id": hello.boot_id,
            "targets": msgspec.json.encode(hello.targets).decode(),
            "watches": msgspec.json.encode(hello.watches).decode(),
            "at": at_ns,
            "stream": stream,
            "clock_offset_seconds": None if hello.wall_ns is None else (hello.wall_ns - at_ns) / 1e9,
        },
    )
    drop_unwatched(connection, agent_id)
    put_labels(connection, agent_id, hello.labels)
    put_playbooks(connection, agent_id, hello.playbooks)
    return Greeting(position.watermark, lost_through(connection, stream))


def _lose(connection: apsw.Connection, stream: int, hello: AgentHello, position: Position, at_ns: int) -> Position:
    """Gives up the records that neither side has (this database was restored from an older copy, or is new)."""
    gap = GapRow(
        agent_id=hello.stream.agent_id,
        first_seq=position.watermark + 1,
        last_seq=hello.lowest_seq - 1,
        reason="lost_by_server",
        counts={"unknown": hello.lowest_seq - 1 - position.watermark},
        at=at_ns,
    )
    count(connection, put_gap(connection, stream, gap))
    after = Position(gap.last_seq, None)
    _move(connection, stream, after, at_ns)
    return after


def _commit(connection: apsw.Connection, *, batch: RecordBatch, at_ns: int) -> int:
    found = _find(connection, batch.stream)
    if found is None:
        raise Refused("MALFORMED", "records of a stream that has not said Hello")
    stream, position = found
    fitted = fit(batch, position)
    _compare_below(connection, stream, batch, position)
    tally = put_records(connection, stream, fitted.entries)
    if any(isinstance(entry.row, TransitionRow) for entry in fitted.entries):  # some may be older than its Hello
        drop_unwatched(connection, batch.stream.agent_id)
    tally["batches", ""] += 1
    count(connection, tally)
    _move(connection, stream, fitted.position, at_ns)
    connection.execute(
        "UPDATE agents SET records = records + ?, last_seen_at = ? WHERE agent_id = ?",
        (len(fitted.entries), at_ns, batch.stream.agent_id),
    )
    return fitted.position.watermark


def _compare_below(connection: apsw.Connection, stream: int, batch: RecordBatch, position: Position) -> None:
    """Follows the chain from the end of a batch that is stored already to the watermark, unless a gap interrupts it.

    Raises:
        Refused: EPOCH_FORK, it does not lead to the chain value there: the batch is not what is stored.
    """
    if not batch.entries:
        return
    seq, chain = batch.entries[-1].last_seq, batch.entries[-1].chain
    if position.chain is None or not position.watermark - _FOLLOWED <= seq < position.watermark:
        return
    sql = "SELECT seq, kind, raw FROM records WHERE stream = ? AND seq > ? ORDER BY seq"
    for number, kind, raw in connection.execute(sql, (stream, seq)):
        if kind == "gap" or number != seq + 1:
            return
        seq, chain = number, hashlib.sha256(chain + raw).digest()
    if chain != position.chain:
        detail = f"the batch at {batch.first_seq} is not what is stored, up to {position.watermark}"
        raise Refused("EPOCH_FORK", detail, position.watermark)


def _find(connection: apsw.Connection, stream: StreamId) -> tuple[int, Position] | None:
    sql = "SELECT stream, watermark, chain FROM streams WHERE agent_id = ? AND epoch = ?"
    for number, watermark, chain in connection.execute(sql, (stream.agent_id, stream.epoch)):
        return number, Position(watermark, chain)
    return None


def _new_stream(connection: apsw.Connection, stream: StreamId, at_ns: int) -> tuple[int, Position]:
    connection.execute(
        "INSERT INTO streams (agent_id, epoch, watermark, chain, first_seen_at, last_seen_at)"
        " VALUES (?, ?, 0, ?, ?, ?)",
        (stream.agent_id, stream.epoch, CHAIN_START, at_ns, at_ns),
    )
    return connection.last_insert_rowid(), Position(0, CHAIN_START)


def _move(connection: apsw.Connection, stream: int, position: Position, at_ns: int) -> None:
    connection.execute(
        "UPDATE streams SET watermark = ?, chain = ?, last_seen_at = ? WHERE stream = ?",
        (position.watermark, position.chain, at_ns, stream),
    )
