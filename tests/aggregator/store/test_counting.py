from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.aggregator.api import rows
from tests.aggregator.api.rows import NOW, SECOND, ago
from tests.aggregator.store.rollups.test_settle import fresh, labelled, put, transact

from guardian_aggregator.store import Filter, counting
from guardian_aggregator.store.rollups import RollupReader

DAY, AMS = 86_400, {"site": "ams"}


@pytest.fixture
def connection(tmp_path):
    connection = fresh(tmp_path / "guardian.db")
    transact(
        connection,
        labelled("web-1", AMS),
        put(rows.incident("a", "link_down", ago(100), 5, "auto")),
        put(rows.execution("x", "a", "bounce_link", "healed", ago(99))),
        put(rows.incident("b", "link_down", ago(3 * DAY), 7, "manual", agent_id="web-2")),
        put(rows.incident("c", "http_error", ago(50), agent_id="web-2", layer=7)),
        put(rows.incident("d", "http_error", ago(40), held=True)),
    )
    yield connection
    connection.close()


def totals(sums):
    """How many there are of each kind and bucket, and the microseconds of those."""
    return Counter(
        {
            (*kind, int(bucket), column): int(numbers[column])
            for kind, found in sums.items()
            for bucket, numbers in zip(found.buckets, found.numbers, strict=True)
            for column in (0, 1)
            if numbers[column]
        }
    )


filters = st.builds(
    Filter,
    since_ns=st.sampled_from([None, *(ago(minutes * 60) for minutes in (1, 61, 1441, 3 * 1440, 40 * 1440))]),
    until_ns=st.sampled_from([None, *(ago(minutes * 60) for minutes in (0, 59, 1440, 3 * 1440 - 1))]),
    labels=st.sampled_from([{}, AMS, {"site": "fra"}]),
    issue_type=st.sampled_from([None, "link_down"]),
    layer=st.sampled_from([None, 4, 7]),
    playbook=st.sampled_from([None, "bounce_link"]),
)
incidents = st.lists(
    st.builds(
        lambda minutes, seconds, issue, agent, layer: (minutes, seconds, issue, agent, layer),
        st.sampled_from([0, 1, 30, 60, 61, 600, 1440, 3 * 1440, 39 * 1440]),
        st.sampled_from([0.1, 5, 5.01, 300, -1.0]),
        st.sampled_from(["link_down", "http_error"]),
        st.sampled_from(["web-1", "web-2"]),
        st.sampled_from([4, 7]),
    ),
    max_size=12,
)


@given(incidents, st.lists(filters, min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_of_many_hosts_it_is_what_their_rows_come_to(tmp_path_factory, some, asked):
    connection = fresh(tmp_path_factory.mktemp("counting") / "guardian.db")
    transact(connection, labelled("web-1", AMS))
    reader = RollupReader(connection)
    for number, (minutes, seconds, issue, agent, layer) in enumerate(some):
        row = rows.incident(f"i{number}", issue, ago(minutes * 60 - 7), 1, "auto", agent_id=agent, layer=layer)
        run = rows.execution(f"x{number}", row.incident_id, "bounce_link", "healed", row.first_bad_at, agent_id=agent)
        row = replace(row, time_to_recover_seconds=seconds)
        transact(connection, put(row), *([put(run)] if number % 2 else []))
        for f in asked:  # what was read before must not be believed for longer than it holds
            for count in (counting.ended_recoveries, counting.executions):
                hosts = [count(connection, reader, replace(f, host=host)) for host in ("web-1", "web-2")]
                assert totals(count(connection, reader, f)) == sum(map(totals, hosts), Counter())
    connection.close()


def test_recoveries_are_told_apart_by_issue_playbook_and_ending(connection):
    found = counting.ended_recoveries(connection, RollupReader(connection), Filter())
    assert {tuple(kind) for kind in found} == {("link_down", "bounce_link", "auto"), ("link_down", "", "manual")}


def test_what_is_open_is_told_one_by_one_with_when_its_host_was_heard(connection):
    (row,) = counting.open_incidents(connection, Filter())
    assert (row.issue_type, row.first_bad_at, row.connected, row.last_seen_at) == ("http_error", ago(50), 0, 0)
    assert counting.open_incidents(connection, Filter(layer=4)) == []


def test_hosts_are_counted_by_whether_they_are_heard(connection):
    connection.execute("UPDATE agents SET connected = 1, clock_offset_seconds = -9.5 WHERE agent_id = 'web-1'")
    assert counting.agents(connection, Filter(), NOW - 60 * SECOND, 5.0) == (2, 1, 1, 1)
    assert counting.agents(connection, Filter(labels=AMS), NOW, 5.0) == (1, 1, 0, 1)
    assert counting.agents(connection, Filter(host="nobody"), NOW, 5.0) == (0, 0, 0, 0)


def test_the_last_run_of_each_playbook_is_its_newest_start(connection):
    again = rows.execution("y", "c", "restart_service", None, ago(20), agent_id="web-2", issue_type="http_error")
    transact(connection, put(rows.execution("z", "a", "bounce_link", "healed", ago(500))), put(again))
    reader = RollupReader(connection)
    assert counting.last_runs(connection, reader, Filter()) == {"bounce_link": ago(99), "restart_service": ago(20)}
    assert counting.last_runs(connection, reader, Filter(playbook="bounce_link")) == {"bounce_link": ago(99)}
    assert counting.last_runs(connection, reader, Filter(labels=AMS)) == {"bounce_link": ago(99)}
    assert counting.last_runs(connection, reader, Filter(until_ns=ago(200))) == {"bounce_link": ago(500)}
