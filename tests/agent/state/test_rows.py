"""What a gap says of the records it stands for, however it came about."""

from collections import Counter
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.state.samples import AT, stamps, texts
from tests.agent.state.tables import new_tables, put, rows

from guardian_agent.state.rows import CHAIN_START, GAP, Dropped, Head, Row, join, row_at, rows_between

counts = st.dictionaries(texts, st.integers(1, 2**40), min_size=1, max_size=3)
dropped = st.builds(Dropped, counts, stamps, texts)


@given(first=dropped, second=dropped, third=dropped)
def test_in_which_order_gaps_are_added_makes_no_difference(first: Dropped, second: Dropped, third: Dropped) -> None:
    assert (first + second) + third == first + (second + third)


@given(first=dropped, second=dropped)
def test_a_sum_counts_every_record_once_and_bears_the_later_time(first: Dropped, second: Dropped) -> None:
    total = first + second
    assert Counter(total.counts) == Counter(first.counts) + Counter(second.counts)
    assert total.at in (first.at, second.at)
    assert total.at.wall_ns == max(first.at.wall_ns, second.at.wall_ns)


def _row(first_seq: int, length: int, kind: str) -> Row:
    record = msgspec.json.encode(Dropped({"page": length}, AT)) if kind == GAP else f"record {first_seq}".encode()
    last_seq = first_seq + length - 1
    return Row(first_seq, last_seq, kind, record, last_seq.to_bytes(32, "big"))


@st.composite
def stored(draw: st.DrawFn) -> list[Row]:
    """Rows without a hole between them, the first one anywhere."""
    seq = draw(st.integers(1, 2**40))
    made: list[Row] = []
    for length in draw(st.lists(st.none() | st.integers(1, 5), max_size=12)):
        made.append(_row(seq, 1, "page") if length is None else _row(seq, length, GAP))
        seq = made[-1].last_seq + 1
    return made


@given(put_in=stored())
def test_what_is_read_has_no_two_gaps_that_touch_and_no_seq_missing(put_in: list[Row]) -> None:
    connection = new_tables()
    for row in put_in:
        put(connection, row)
    read = list(rows_between(connection, 0, 2**62))
    assert [row for row in read if row.kind != GAP] == [row for row in put_in if row.kind != GAP]
    assert (GAP, GAP) not in pairwise(row.kind for row in read)
    seq = put_in[0].first_seq if put_in else 0
    for row in read:
        assert row.first_seq == seq
        assert row.chain == row.last_seq.to_bytes(32, "big")
        assert row.kind != GAP or sum(row.dropped().counts.values()) == row.last_seq - row.first_seq + 1
        seq = row.last_seq + 1
    assert not put_in or seq == put_in[-1].last_seq + 1
    assert rows(connection) == put_in


@given(put_in=stored(), beside=st.integers(-2, 70))
def test_a_seq_has_the_one_row_that_stands_for_it(put_in: list[Row], beside: int) -> None:
    connection = new_tables()
    for row in put_in:
        put(connection, row)
    seq = (put_in[0].first_seq if put_in else 1) + beside
    standing = [row for row in put_in if row.first_seq <= seq <= row.last_seq]
    assert row_at(connection, seq) == (standing[0] if standing else None)


def test_two_gaps_that_touch_become_one_with_the_chain_value_of_the_later() -> None:
    joined = join(_row(3, 2, GAP), _row(5, 4, GAP))
    assert (joined.first_seq, joined.last_seq, joined.kind) == (3, 8, GAP)
    assert joined.dropped() == Dropped({"page": 6}, AT)
    assert joined.chain == _row(5, 4, GAP).chain


def test_a_head_is_read_as_it_was_stored() -> None:
    connection = new_tables()
    head = Head(b"e" * 16, 3, CHAIN_START, 10_003, 9, b"c" * 32, 5, 500, 7)
    connection.execute("INSERT INTO outbox_head VALUES (x'', 0, x'', 0, 1, x'', 0, 0, 0)")
    head.store(connection)
    assert Head.load(connection) == head
