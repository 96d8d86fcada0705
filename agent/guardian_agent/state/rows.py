"""What the outbox's tables hold: its head, its rows, and the runs of records that were dropped."""

from collections.abc import Iterator
from typing import ClassVar

import apsw
import msgspec

from guardian_agent.model import Stamp

CHAIN_START = bytes(32)
GAP = "gap"  # the kind of a row that stands for dropped records

_COLUMNS = "first_seq, last_seq, kind, record, chain"


class Head(msgspec.Struct):
    """The one row of `outbox_head`, field by column."""

    epoch: bytes
    acked: int
    acked_chain: bytes
    horizon: int
    next_seq: int
    chain: bytes
    live_rows: int
    live_bytes: int
    dropped: int

    @classmethod
    def load(cls, connection: apsw.Connection) -> "Head":
        columns = ", ".join(cls.__struct_fields__)
        (head,) = (cls(*row) for row in connection.execute(f"SELECT {columns} FROM outbox_head"))  # noqa: S608
        return head

    def store(self, connection: apsw.Connection) -> None:
        columns = ", ".join(f"{name} = ?" for name in self.__struct_fields__)
        connection.execute(f"UPDATE outbox_head SET {columns}", msgspec.structs.astuple(self))  # noqa: S608


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Stands where the records `first_seq` … `last_seq` stood: how many of each kind, the chain value of the last."""

    record_kind: ClassVar = GAP
    first_seq: int
    last_seq: int
    reason: str
    counts: dict[str, int]
    last_chain: bytes


class Dropped(msgspec.Struct, frozen=True):
    """What a gap's row keeps of the records that it stands for; `at` is when the last of them was dropped."""

    counts: dict[str, int]
    at: Stamp
    reason: str = "outbox_full"

    def __add__(self, later: "Dropped") -> "Dropped":
        counts = dict(self.counts)
        for kind, count in later.counts.items():
            counts[kind] = counts.get(kind, 0) + count
        return Dropped(counts, max(self.at, later.at, key=lambda stamp: stamp.wall_ns), later.reason)


class Row(msgspec.Struct, frozen=True):
    """One row of `outbox`; `record` of a gap is a `Dropped` as JSON."""

    first_seq: int
    last_seq: int
    kind: str
    record: bytes
    chain: bytes

    def dropped(self) -> Dropped:
        return msgspec.json.decode(self.record, type=Dropped)


def rows_between(connection: apsw.Connection, first_seq: int, last_first_seq: int) -> Iterator[Row]:
    """The rows that begin in this range, in order, neighbouring gaps made one."""
    pending: Row | None = None
    query = f"SELECT {_COLUMNS} FROM outbox WHERE first_seq BETWEEN ? AND ? ORDER BY first_seq"  # noqa: S608
    for values in connection.execute(query, (first_seq, last_first_seq)):
        row = Row(*values)
        if pending is not None and row.kind == GAP:
            pending = join(pending, row)
            continue
        if pending is not None:
            yield pending
            pending = None
        if row.kind == GAP:
            pending = row
        else:
            yield row
    if pending is not None:
        yield pending


def join(earlier: Row, later: Row) -> Row:
    """Two gaps that touch, as one."""
    dropped = msgspec.json.encode(earlier.dropped() + later.dropped())
    return Row(earlier.first_seq, later.last_seq, GAP, dropped, later.chain)


def one_row(connection: apsw.Connection, condition: str, *values: int) -> Row | None:
    """The first row that meets a condition of ours (SQL, which may end in an order); None when there is none."""
    found = connection.execute(f"SELECT {_COLUMNS} FROM outbox WHERE {condition} LIMIT 1", values)  # noqa: S608
    return next((Row(*row) for row in found), None)


def row_at(connection: apsw.Connection, seq: int) -> Row | None:
    """The row that stands for `seq`; None when no row does."""
    row = one_row(connection, "first_seq <= ? ORDER BY first_seq DESC", seq)
    return row if row is not None and row.last_seq >= seq else None
