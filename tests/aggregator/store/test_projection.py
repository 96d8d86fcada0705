"""What records do to the tables that questions are asked of."""

import msgspec
import pytest
from tests.aggregator.ingest.outbox import NOW_NS, execution, incident, self_health, stamp, transition
from tests.aggregator.store.test_queries import rows_of

from guardian_aggregator.model import GapRow, PageRow, RecordEntry
from guardian_aggregator.store import open_writer
from guardian_aggregator.store.projection import count, put_page, put_records


@pytest.fixture
def connection(tmp_path):
    connection = open_writer(tmp_path / "g.db")
    connection.execute(
        "INSERT INTO streams (agent_id, epoch, watermark, first_seen_at, last_seen_at) VALUES ('web-1', x'00', 0, 0, 0)"
    )
    yield connection
    connection.close()


def entries(*rows, first: int = 1) -> list[RecordEntry]:
    return [
        RecordEntry(seq, seq, b"", "unknown" if row is None else "some", b"raw", row)
        for seq, row in enumerate(rows, start=first)
    ]


def all_of(connection, columns: str, table: str) -> list[tuple[object, ...]]:
    return list(connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1"))


def test_every_record_is_kept_as_it_came(connection):
    put_records(connection, 1, entries(*rows_of("web-1", incident("i-1")), None))
    assert all_of(connection, "seq, kind, raw", "records") == [(1, "some", b"raw"), (2, "unknown", b"raw")]


def test_a_snapshot_takes_the_place_of_the_one_before(connection):
    rows = rows_of("web-1", incident("i-1"), incident("i-1", recovered_by="systemd"), execution("x-1"))
    put_records(connection, 1, entries(*rows))
    assert all_of(connection, "incident_id, recovered_by", "incidents") == [("i-1", "systemd")]
    assert all_of(connection, "execution_id, outcome", "executions") == [("x-1", None)]


@pytest.mark.parametrize("record", [incident("id", target="theirs"), execution("id", target="theirs")])
def test_what_another_agent_has_is_left_alone_and_counted(connection, record):
    first, second = rows_of("web-1", record), rows_of("web-2", record)
    assert put_records(connection, 1, entries(*first))["foreign", ""] == 0
    assert put_records(connection, 1, entries(*second, first=2))["foreign", ""] == 1
    (table,) = {"incidents" if hasattr(first[0], "layer") else "executions"}
    assert all_of(connection, "agent_id", table) == [("web-1",)]


def test_a_transition_is_history_and_the_newest_state(connection):
    put_records(connection, 1, entries(*rows_of("web-1", transition("a"), transition("a", to_state=1))))
    assert all_of(connection, "transition_id, to_state", "transitions") == [(1, "failing"), (2, "ok")]
    assert all_of(connection, "probe, state", "condition_states") == [("a", "ok")]


def test_a_page_is_there_once(connection):
    page = PageRow(page_id="p", agent_id="a", incident_id="", target="", reason="stuck", text="t", at=NOW_NS)
    assert put_page(connection, page)
    assert not put_page(connection, msgspec.structs.replace(page, text="again"))
    assert all_of(connection, "text", "pages") == [("t",)]


def test_a_gap_is_counted_with_what_it_stands_for(connection):
    gap = GapRow(agent_id="web-1", first_seq=1, last_seq=40, reason="outbox_full", counts={"page": 40}, at=NOW_NS)
    tally = put_records(connection, 1, entries(gap))
    assert (tally["gaps", "outbox_full"], tally["gap_records", "outbox_full"]) == (1, 40)


def test_records_without_a_row_are_counted_apart(connection):
    strange = RecordEntry(1, 1, b"", "incident", b"raw", None, unknown_values=3)
    tally = put_records(connection, 1, [strange, *entries(None, first=2)])
    assert dict(tally) == {
        ("records", "incident"): 1,
        ("records", "unknown"): 1,
        ("unknown_values", ""): 3,
        ("invalid", ""): 1,
    }


def test_counters_add_up(connection):
    for tally in ({("records", "page"): 2}, {("records", "page"): 3, ("batches", ""): 0}):
        count(connection, tally)
    assert all_of(connection, "name, label, value", "counters") == [("records", "page", 5)]


def test_a_counter_stays_at_the_largest_integer(connection):
    for number in (2**62, 2**62, 2**70, 1):
        count(connection, {("gap_records", "outbox_full"): number})
    assert all_of(connection, "value, typeof(value)", "counters") == [(2**63 - 1, "integer")]


def test_an_execution_about_another_agents_incident_is_foreign(connection):
    put_records(connection, 1, entries(*rows_of("web-1", incident("i-1"))))
    claim = rows_of("web-2", execution("x-1", incident_id="i-1"), execution("x-2", incident_id="unheard-of"))
    assert put_records(connection, 1, entries(*claim, first=2))["foreign", ""] == 1
    assert all_of(connection, "execution_id", "executions") == [("x-2",)]


def test_what_is_closed_is_not_opened_by_an_older_state_of_it(connection):
    closed = (incident("i-1", closed_at=stamp(9), resolution=1), execution("x-1", outcome=1))
    older = (incident("i-1"), execution("x-1"))
    tally = put_records(connection, 1, entries(*rows_of("web-1", *closed, *older)))
    assert tally["foreign", ""] == 0
    assert all_of(connection, "resolution", "incidents") == [("auto",)]
    assert all_of(connection, "outcome", "executions") == [("healed",)]
    later = rows_of("web-1", incident("i-1", closed_at=stamp(10), resolution=2))
    put_records(connection, 1, entries(*later, first=5))
    assert all_of(connection, "resolution", "incidents") == [("manual",)]


def test_of_an_agents_words_about_itself_the_newest_is_kept_and_all_of_them_as_records(connection):
    put_records(connection, 1, entries(*rows_of("web-1", *(self_health(second, looks=second) for second in range(5)))))
    put_records(connection, 1, entries(*rows_of("web-2", self_health(1, looks=9)), first=6))
    assert all_of(connection, "agent_id, looks", "self_health") == [("web-1", 4), ("web-2", 9)]
    assert all_of(connection, "count(*)", "records") == [(6,)]
