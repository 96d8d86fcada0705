"""Every question, narrowed every way, page by page."""

from collections.abc import Sequence
from typing import Unpack

import msgspec
import pytest
from tests.aggregator.ingest.outbox import NOW_NS, HelloFields, Outbox, batch, execution, incident, stamp, transition

from guardian_aggregator.ingest import codec
from guardian_aggregator.model import (
    CHAIN_START,
    ConditionRow,
    GapRow,
    PageRow,
    RecordBatch,
    RecordEntry,
    Row,
    StreamId,
)
from guardian_aggregator.store import Filter, Store
from guardian_aggregator.store.database import open_reader
from guardian_aggregator.store.tables import CONDITIONS
from guardian_proto.v1 import stream_pb2

SECOND = 10**9


def rows_of(agent_id: str, *records: bytes) -> list[Row | None]:
    """The row of each record; None: it has none."""
    read = codec.read_batch(
        codec.read_message(batch(1, CHAIN_START, list(records))), StreamId(agent_id, b"e" * 16), 7, 99
    )
    return [entry.row for entry in read.entries]


async def fill(store: Store, agent_id: str, rows: Sequence[Row | None], **hello: Unpack[HelloFields]) -> None:
    """Stores rows as if an agent had sent them."""
    outbox = Outbox(agent_id)
    greeting = codec.read_hello(codec.read_message(outbox.hello(**hello)))
    watermark, _ = await store.greet(greeting, NOW_NS)
    entries = [
        RecordEntry(seq, seq, CHAIN_START, type(row).__name__, b"", row)
        for seq, row in enumerate(rows, start=watermark + 1)
    ]
    sent = RecordBatch(greeting.stream, watermark + 1, CHAIN_START, tuple(entries))
    assert await store.commit([sent], NOW_NS) == [watermark + len(rows)]


def conditions(store: Store) -> list[ConditionRow]:
    """All that is known of conditions, by probe."""
    connection = open_reader(store.path)
    sql = f"SELECT {CONDITIONS.columns} FROM condition_states ORDER BY agent_id, layer, probe, target"
    try:
        return CONDITIONS.read(connection.execute(sql))
    finally:
        connection.close()


@pytest.fixture
async def fleet(store):
    """Two hosts: web-1 (ams) with incidents i-0 … i-9 a second apart, web-2 (fra) with one."""
    first = []
    for number in range(10):
        closed = {"closed_at": stamp(number + 5), "resolution": 1} if number % 2 else {}
        first.append(
            incident(
                f"i-{number}",
                first_bad_at=stamp(number),
                layer=4 if number < 5 else 8,
                issue_type="port_not_listening" if number < 5 else "process_crashed",
                target="web" if number < 8 else "db",
                **closed,
            )
        )
        first.append(
            execution(
                f"x-{number}",
                incident_id=f"i-{number}",
                started_at=stamp(number),
                outcome=1 if number % 2 else 2,
                playbook="restart_service" if number % 4 == 1 else "restart_component",
            )
        )
    first.append(incident("explained", explained_by="i-0", first_bad_at=stamp(1)))
    first.append(incident("held", held=True, first_bad_at=stamp(2)))
    await fill(store, "web-1", rows_of("web-1", *first), labels={"site": "ams", "role": "web"})
    second = rows_of("web-2", incident("other", first_bad_at=stamp(4)), execution("y", incident_id="other"))
    await fill(store, "web-2", second, labels={"site": "fra", "role": "web"})


@pytest.mark.parametrize(
    ("narrowed", "found"),
    [
        ({"since_ns": NOW_NS + 8 * SECOND}, ["i-9", "i-8"]),
        ({"until_ns": NOW_NS + 1 * SECOND}, ["i-0"]),
        ({"since_ns": NOW_NS + 3 * SECOND, "until_ns": NOW_NS + 4 * SECOND}, ["i-3"]),
        ({"host": "web-2"}, ["other"]),
        ({"labels": {"site": "fra"}}, ["other"]),
        ({"labels": {"site": "fra", "role": "db"}}, []),
        ({"labels": {"site": "ams' OR 1"}}, []),
        ({"issue_type": "process_crashed", "component": "db"}, ["i-9", "i-8"]),
        ({"layer": 4, "host": "web-1", "open": False}, ["i-3", "i-1"]),
        ({"layer": 4, "host": "web-1", "open": True}, ["i-4", "i-2", "i-0"]),
        ({"playbook": "restart_service"}, ["i-9", "i-5", "i-1"]),
        ({"playbook": "restart_component"}, ["i-7", "i-3"]),
        ({"playbook": "nothing_of_that_name"}, []),
    ],
)
async def test_incidents_are_narrowed(fleet, queries, narrowed, found):
    assert [row.incident_id for row in await queries.incidents(Filter(**narrowed), 100)] == found


async def test_an_incident_that_two_playbooks_healed_is_the_last_ones(store, queries):
    runs = [
        execution(f"x-{name}", incident_id="i-1", outcome=1, playbook=name, finished_at=stamp(second))
        for second, name in enumerate(("restart_service", "restart_component"))
    ]
    await fill(store, "web-1", rows_of("web-1", incident("i-1"), *runs))
    assert await queries.incidents(Filter(playbook="restart_service"), 9) == []
    assert [row.incident_id for row in await queries.incidents(Filter(playbook="restart_component"), 9)] == ["i-1"]


@pytest.mark.parametrize(
    ("narrowed", "found"),
    [
        ({"playbook": "restart_service"}, ["x-9", "x-5", "x-1"]),
        ({"layer": 4}, ["x-4", "x-3", "x-2", "x-1", "x-0"]),
        ({"host": "web-2", "open": True}, ["y"]),
        ({"since_ns": NOW_NS + 9 * SECOND}, ["x-9"]),
    ],
)
async def test_executions_are_narrowed(fleet, queries, narrowed, found):
    assert [row.execution_id for row in await queries.executions(Filter(**narrowed), 100)] == found


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_page_by_page_one_sees_everything_once(fleet, queries, limit):
    seen, after = [], None
    while page := await queries.incidents(Filter(), limit, after):
        seen += page
        after = (page[-1].first_bad_at, page[-1].incident_id)
    assert seen == await queries.incidents(Filter(), 100)
    assert len(seen) == 13


async def test_transitions_of_one_moment_are_paged_too(store, queries):
    await fill(store, "web-1", rows_of("web-1", *(transition(f"p{number}") for number in range(12))))
    seen, after = [], None
    while page := await queries.transitions(Filter(), 5, after):
        seen += page
        after = (page[-1].at, page[-1].transition_id)
    assert [row.probe for row in seen] == [f"p{number}" for number in reversed(range(12))]


async def test_statistics_count_neither_explained_nor_held_incidents(fleet, queries):
    for asked in (Filter(host="web-1"), Filter(labels={"site": "ams"})):
        ended = await queries.ended_recoveries(asked)
        assert sum(sums.total for sums in ended.values()) == 5
        assert {kind.playbook for kind in ended} == {"restart_service", "restart_component"}
        assert len(await queries.open_incidents(asked)) == 5


async def test_who_healed_what(fleet, queries):
    assert await queries.healed_by(["i-0", "i-1", "i-3", "nobody's"]) == {
        "i-1": "restart_service",
        "i-3": "restart_component",
    }


async def test_executions_are_counted_by_playbook_and_outcome(fleet, queries):
    assert await queries.execution_counts(Filter()) == {
        ("restart_component", "healed"): 2,
        ("restart_component", "ineffective"): 5,
        ("restart_service", "healed"): 3,
        ("restart_component", None): 1,
    }
    assert (await queries.last_runs(Filter()))["restart_service"] == NOW_NS + 9 * SECOND


async def test_a_later_record_of_an_incident_takes_the_place_of_the_one_before(store, queries):
    await fill(store, "web-1", rows_of("web-1", incident("i-1"), execution("x-1", incident_id="i-1")))
    later = [
        incident("i-1", closed_at=stamp(9), resolution=1, time_to_recover_seconds=8.0),
        execution("x-1", incident_id="i-1", outcome=1),
    ]
    await fill(store, "web-1", rows_of("web-1", *later), next_seq=3, lowest_seq=3)
    row = await queries.incident("i-1")
    assert (row.resolution, row.time_to_recover_seconds) == ("auto", 8.0)
    (run,) = await queries.incident_executions("i-1")
    assert run == await queries.execution("x-1")
    assert run.outcome == "healed"
    assert await queries.incident("i-2") is None
    assert await queries.execution("x-2") is None


async def test_an_agent_cannot_change_another_agents_incident(store, queries):
    await fill(store, "web-1", rows_of("web-1", incident("i-1", issue_type="mine")))
    await fill(store, "web-2", rows_of("web-2", incident("i-1", issue_type="not_mine")))
    row = await queries.incident("i-1")
    assert (row.agent_id, row.issue_type) == ("web-1", "mine")
    assert (await queries.counters()).foreign == 1


async def test_every_field_of_a_row_comes_back_as_it_went_in(store, queries):
    full = rows_of(
        "web-1",
        incident(
            "i-1",
            symptoms=["a", "ü"],
            evidence_json='{"deep": [{"x": null}], "text": "\\u0000é"}',
            last_good_at=stamp(0),
            closed_at=stamp(4),
            resolution=2,
            held=True,
            exhausted=True,
            across_boots=True,
            recover_upper_seconds=0.1,
        ),
    )
    gap = GapRow(agent_id="web-1", first_seq=2, last_seq=4, reason="outbox_full", counts={"page": 3}, at=NOW_NS)
    page = PageRow(page_id="p", agent_id="web-1", incident_id="i-1", target="web", reason="stuck", text="t", at=NOW_NS)
    await fill(store, "web-1", [*full, gap, page])
    assert await queries.incident("i-1") == full[0]
    assert await queries.gaps(Filter()) == [gap]
    assert await queries.pages(Filter(issue_type="process_crashed", layer=8), 5) == [page]
    assert await queries.pages(Filter(layer=1), 5) == []


async def test_hosts_and_their_playbooks_are_as_last_said(store, queries):
    info = stream_pb2.PlaybookInfo(id="restart_service", family="auto_heal", tier=1, heals=["service_failed"])
    old = stream_pb2.PlaybookInfo(id="gone", family="network", tier=1)
    await fill(store, "web-1", [], playbooks=[info, old], labels={"old": "1"}, targets=["web"], mode="observe")
    await fill(store, "web-1", [], playbooks=[info], labels={"site": "ams"}, targets=["web", "db"])
    (host,) = await queries.agents()
    assert (host.mode, host.labels, host.targets) == ("heal", {"site": "ams"}, ("web", "db"))
    assert await queries.agents(Filter(labels={"old": "1"})) == []
    (row,) = await queries.playbooks()
    assert (row.agent_id, row.id, row.heals) == ("web-1", "restart_service", ("service_failed",))


async def test_the_newest_state_of_a_condition_is_kept_beside_its_history(store, queries):
    rows = rows_of("web-1", transition("a"), transition("b"), transition("a", to_state=1))
    await fill(store, "web-1", rows, watches=["a/web", "b/web"])
    assert [(row.probe, row.state) for row in conditions(store)] == [("a", "ok"), ("b", "failing")]
    assert len(await queries.transitions(Filter(), 10)) == 3


async def test_counters_tell_what_came(fleet, queries):
    counters = await queries.counters()
    assert counters.records == {"IncidentRow": 13, "ExecutionRow": 11}
    assert counters.batches == 2
    assert counters.commits >= 2
    assert msgspec.structs.asdict(counters)["gaps"] == {}


async def test_an_execution_sent_before_the_incident_of_another_agent_is_not_the_incidents(store, queries):
    await fill(store, "thief", rows_of("thief", execution("x-1", incident_id="i-1", outcome=1, playbook="evil")))
    await fill(store, "web-1", rows_of("web-1", incident("i-1")))
    assert await queries.incident_executions("i-1") == []
    assert await queries.healed_by(["i-1"]) == {}
    assert await queries.incidents(Filter(playbook="evil"), 9) == []
    assert await queries.executions(Filter(layer=8), 9) == []


async def test_what_is_no_longer_looked_at_has_no_state(store, queries):
    both = rows_of("web-1", transition("l4_listen"), transition("l7_http"))
    await fill(store, "web-1", both, watches=["l4_listen/web", "l7_http/web"])
    assert [row.probe for row in conditions(store)] == ["l4_listen", "l7_http"]
    # One that was made before the Hello and comes after it does not bring it back.
    again = rows_of("web-1", transition("l7_http"))
    await fill(store, "web-1", again, watches=["l4_listen/web"], next_seq=3)
    assert [row.probe for row in conditions(store)] == ["l4_listen"]
    await fill(store, "web-1", [], next_seq=4)
    assert conditions(store) == []


async def test_how_often_a_layer_failed_is_told_by_window_and_filter(store, queries):
    told = [transition("a", second=1), transition("b", second=2), transition("a", to_state=1, second=3)]
    await fill(store, "web-1", rows_of("web-1", *told), watches=["a/web", "b/web"])
    assert await queries.failures_by_layer(Filter()) == {7: 2}
    assert await queries.failures_by_layer(Filter(since_ns=NOW_NS + 1_500_000_000)) == {7: 1}
    assert await queries.failures_by_layer(Filter(layer=4)) == {}
    assert await queries.failures_by_layer(Filter(playbook="nobody")) == {}
