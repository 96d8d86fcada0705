"""What a full outbox drops first, and the gaps that say so."""

from enum import IntEnum

import apsw
import msgspec

from guardian_agent.model import Execution, Fact, Incident, Page, SelfHealth, Stamp, Transition
from guardian_agent.state.rows import GAP, Dropped, Head, Row, join, one_row, row_at


class DropRank(IntEnum):
    """Lowest first, oldest first within one. A page has none: it is never dropped."""

    SELF_HEALTH = -1
    TRANSITION = 0
    EXECUTION_RUNNING = 1
    INCIDENT_REPLACED = 2  # a later record of the same incident is held: nothing is lost but how it came about
    EXECUTION_FINAL = 3
    INCIDENT_CLOSED = 4
    INCIDENT_OPEN = 5


class Limits(msgspec.Struct, frozen=True):
    """How much the outbox holds: records, and bytes of them.

    Gaps come on top: at most one for each held record, and one for each seq up to the horizon.
    """

    rows: int = 200_000
    bytes: int = 64 << 20


def drop_rank(fact: Fact) -> DropRank | None:
    """When a record of this fact may be dropped; None: never."""
    match fact:
        case SelfHealth():
            return DropRank.SELF_HEALTH
        case Transition():
            return DropRank.TRANSITION
        case Execution():
            return DropRank.EXECUTION_RUNNING if fact.outcome is None else DropRank.EXECUTION_FINAL
        case Incident():
            return DropRank.INCIDENT_OPEN if fact.closed_at is None else DropRank.INCIDENT_CLOSED
        case Page():
            return None


def mark_replaced(connection: apsw.Connection, incident_id: str) -> None:
    """The records held of this incident may go earlier, since a newer one is coming."""
    connection.execute("UPDATE outbox SET drop_rank = ? WHERE subject = ?", (DropRank.INCIDENT_REPLACED, incident_id))


def make_room(connection: apsw.Connection, head: Head, limits: Limits, at: Stamp) -> None:
    """Turns records into gaps until the rest is within the limits, or only pages are left."""
    while head.live_rows > limits.rows or head.live_bytes > limits.bytes:
        row = one_row(connection, "drop_rank IS NOT NULL ORDER BY drop_rank, first_seq")
        if row is None:
            return
        _drop(connection, head, row, at)


def _drop(connection: apsw.Connection, head: Head, row: Row, at: Stamp) -> None:
    head.live_rows -= 1
    head.live_bytes -= len(row.record)
    head.dropped += 1
    gap = Row(row.first_seq, row.last_seq, GAP, msgspec.json.encode(Dropped({row.kind: 1}, at)), row.chain)
    if row.first_seq > head.horizon:
        # What was never sent is never acknowledged in part, so neighbours may become one row. Below the horizon an
        # acknowledgement may be under way that ends at this very seq, and the next batch would need its chain value.
        before = row_at(connection, row.first_seq - 1)
        if before is not None and before.kind == GAP and before.first_seq > head.horizon:
            gap = join(before, gap)
        after = row_at(connection, row.last_seq + 1)
        if after is not None and after.kind == GAP:
            gap = join(gap, after)
    connection.execute("DELETE FROM outbox WHERE first_seq BETWEEN ? AND ?", (gap.first_seq, gap.last_seq))
    connection.execute(
        "INSERT INTO outbox VALUES (?, ?, ?, NULL, NULL, ?, ?)",
        (gap.first_seq, gap.last_seq, GAP, gap.record, gap.chain),
    )
