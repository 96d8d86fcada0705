from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tests.aggregator.api import rows
from tests.aggregator.api.rows import NOW, SECOND, ago
from tests.aggregator.store.rollups.test_settle import fresh, put, transact

from guardian_aggregator.store import Filter
from guardian_aggregator.store.rollups.reading import RollupReader, spans

MINUTE, HOUR, DAY = 60, 3600, 86_400
minutes = st.integers(0, 40 * 1440).map(lambda minute: 1_700_000_040 // 60 * 60 + minute * 60)


@given(minutes, minutes, st.integers(0, 45).map(lambda day: (1_700_000_000 // DAY + day) * DAY))
def test_spans_make_up_the_stretch_without_a_hole_from_few_pieces(since, until, newest):
    pieces = list(spans(since, until, newest))
    if since >= until:
        assert pieces == []
        return
    assert pieces[0].since_s == since and pieces[-1].until_s == until
    assert all(one.until_s == other.since_s for one, other in pairwise(pieces))
    for piece in pieces:
        assert piece.since_s % piece.grain_s == 0 and piece.until_s % piece.grain_s == 0
        assert piece.since_s < piece.until_s
    assert sum((piece.until_s - piece.since_s) // MINUTE for piece in pieces if piece.grain_s == MINUTE) <= 118
    assert sum((piece.until_s - piece.since_s) // HOUR for piece in pieces if piece.grain_s == HOUR) <= 46
    assert len(pieces) <= 7
    for piece in pieces:
        if piece.grain_s == DAY and piece.since_s <= newest < piece.until_s:
            assert (piece.since_s, piece.until_s) == (newest, newest + DAY)


def test_a_host_whose_clock_is_years_ahead_costs_nobody_what_was_read(tmp_path):
    connection = fresh(tmp_path / "guardian.db")
    for name, began in (("old", ago(9 * DAY)), ("now", ago(60)), ("ahead", ago(-900 * DAY))):
        transact(connection, put(rows.incident(name, "link_down", began, 5, "auto")))
    reader = RollupReader(connection, now_s=lambda: NOW / SECOND)
    wanted = Filter()
    reader.read("recovery", wanted)
    read = []
    transact(connection, put(rows.incident("next", "link_down", ago(30), 5, "auto")))
    connection.exec_trace = lambda _cursor, sql, bindings: read.append(bindings) or True
    (sums,) = reader.read("recovery", wanted).values()
    assert sums.numbers[0][0] == 4
    days = NOW // SECOND // DAY * DAY
    assert [bindings[2:] for bindings in read if bindings and len(bindings) == 4] == [(days, days + DAY)]
    connection.close()


def test_what_has_not_changed_is_not_read_again(tmp_path):
    connection = fresh(tmp_path / "guardian.db")
    for day in range(40):
        transact(connection, put(rows.incident(f"i{day}", "link_down", ago(day * DAY), 5, "auto")))
    reader = RollupReader(connection, now_s=lambda: NOW / SECOND)
    wanted = Filter(since_ns=NOW - 30 * DAY * SECOND)
    asked = []

    def note(_cursor, sql, _bindings):
        asked.append(sql)
        return True

    (sums,) = reader.read("recovery", wanted).values()
    assert sums.numbers[0][0] == 31
    connection.exec_trace = note
    reader.read("recovery", wanted)
    assert not any("FROM rollups" in sql for sql in asked)
    connection.exec_trace = None
    transact(connection, put(rows.incident("late", "link_down", ago(9 * DAY), 5, "auto")))
    (sums,) = reader.read("recovery", wanted).values()
    assert sums.numbers[0][0] == 32
    assert reader.playbooks() == set()
    connection.close()
