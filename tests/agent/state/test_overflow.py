"""What a full outbox drops: the least important first, never a page, and every seq accounted for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.state.samples import AT, execution, incident, page, transition
from tests.agent.state.tables import new_tables, put, rows

from guardian_agent.model import Fact, Outcome
from guardian_agent.state.overflow import DropRank, Limits, drop_rank, make_room, mark_replaced
from guardian_agent.state.rows import CHAIN_START, GAP, Head, Row


@pytest.mark.parametrize(
    ("fact", "rank"),
    [
        (transition(), DropRank.TRANSITION),
        (execution("e"), DropRank.EXECUTION_RUNNING),
        (execution("e", Outcome.HEALED), DropRank.EXECUTION_FINAL),
        (incident("i"), DropRank.INCIDENT_OPEN),
        (incident("i", closed=True), DropRank.INCIDENT_CLOSED),
        (page("p"), None),
    ],
)
def test_a_fact_goes_by_what_it_is_worth(fact: Fact, rank: DropRank | None) -> None:
    assert drop_rank(fact) is rank


held = st.lists(st.tuples(st.none() | st.sampled_from(DropRank), st.integers(0, 60)), max_size=15)
limits = st.builds(Limits, rows=st.integers(0, 12), bytes=st.integers(0, 400))


def _keeps(ranked: list[tuple[DropRank | None, int]], limits: Limits) -> list[int]:
    """The seqs that should be left: the definition, done slowly."""
    left = dict(enumerate(ranked, 1))
    while len(left) > limits.rows or sum(size for _, size in left.values()) > limits.bytes:
        droppable = [(rank, seq) for seq, (rank, _) in left.items() if rank is not None]
        if not droppable:
            break
        del left[min(droppable)[1]]
    return list(left)


@given(ranked=held, limits=limits, horizon=st.integers(0, 16))
def test_what_is_left_is_worth_more_than_what_is_gone(
    ranked: list[tuple[DropRank | None, int]], limits: Limits, horizon: int
) -> None:
    connection = new_tables()
    for seq, (rank, size) in enumerate(ranked, 1):
        put(connection, Row(seq, seq, "record", bytes(size), seq.to_bytes(32, "big")), rank)
    sizes = sum(size for _, size in ranked)
    head = Head(b"e" * 16, 0, CHAIN_START, horizon, len(ranked) + 1, CHAIN_START, len(ranked), sizes, 0)
    make_room(connection, head, limits, AT)
    after = rows(connection)
    records = [row for row in after if row.kind != GAP]
    assert [row.first_seq for row in records] == _keeps(ranked, limits)
    assert (head.live_rows, head.live_bytes) == (len(records), sum(len(row.record) for row in records))
    assert head.dropped == len(ranked) - len(records)
    seq = 1
    for row in after:
        assert row.first_seq == seq
        assert row.chain == row.last_seq.to_bytes(32, "big")  # an acknowledgement through here can be compared
        if row.kind == GAP:
            assert row.dropped().counts == {"record": row.last_seq - seq + 1}
            assert row.first_seq > horizon or row.last_seq == row.first_seq
        seq = row.last_seq + 1
    assert seq == len(ranked) + 1


def test_only_the_older_records_of_the_same_incident_lose_their_rank() -> None:
    connection = new_tables()
    for seq, incident_id in enumerate(["a", "b", None], 1):
        put(connection, Row(seq, seq, "record", b"", CHAIN_START), DropRank.INCIDENT_OPEN, incident_id)
    mark_replaced(connection, "a")
    ranks = [rank for (rank,) in connection.execute("SELECT drop_rank FROM outbox ORDER BY first_seq")]
    assert ranks == [DropRank.INCIDENT_REPLACED, DropRank.INCIDENT_OPEN, DropRank.INCIDENT_OPEN]
