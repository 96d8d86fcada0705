"""The rollups are what the rows come to: whatever came, in whatever order, and wherever it was cut off."""

from collections import defaultdict

import apsw
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.aggregator.api import rows
from tests.aggregator.api.rows import SECOND, ago

from guardian_aggregator.stats import Episode, recurrences
from guardian_aggregator.store import open_writer
from guardian_aggregator.store.database import migrations
from guardian_aggregator.store.projection import put_execution, put_incident, put_labels
from guardian_aggregator.store.rollups import Numbers, put_label_set, rebuild, settle
from guardian_aggregator.store.rollups.contribution import (
    Cell,
    ExecutionState,
    Group,
    IncidentState,
    of_execution,
    of_incident,
    together,
)
from guardian_aggregator.store.tables import EXECUTIONS, INCIDENTS

AGENTS, HOUR = ("web-1", "web-2"), 3600


@pytest.fixture
def connection(tmp_path):
    connection = fresh(tmp_path / "guardian.db")
    yield connection
    connection.close()


def fresh(path):
    connection = open_writer(path)
    known_agents(connection, "{}")
    return connection


def known_agents(connection, labels):
    for agent_id in AGENTS:
        connection.execute(
            "INSERT INTO agents (agent_id, labels, agent_version, mode, boot_id, targets, watches, connected,"
            " first_seen_at, last_seen_at, stream) VALUES (?, ?, '', '', '', '[]', '[]', 0, 0, 0, 0)",
            (agent_id, labels),
        )


def expected(connection):
    """What the rows come to, worked out from all of them, one after another."""
    labels = dict(connection.execute("SELECT agent_id, label_set FROM agents"))
    incidents = {
        row.incident_id: row for row in INCIDENTS.read(connection.execute(f"SELECT {INCIDENTS.columns} FROM incidents"))
    }
    executions = EXECUTIONS.read(connection.execute(f"SELECT {EXECUTIONS.columns} FROM executions"))
    healed = defaultdict(list)
    counted = []
    for row in executions:
        about = incidents.get(row.incident_id)
        layer = about.layer if about and about.agent_id == row.agent_id else 0
        state = ExecutionState(
            row.started_at, row.incident_id, row.issue_type, layer, row.playbook, row.outcome, labels[row.agent_id]
        )
        counted.append(of_execution(state))
        if row.outcome == "healed":
            healed[row.incident_id, row.agent_id].append((row.finished_at, row.execution_id, row.playbook))
    again = recurrences(
        episode(row) for row in sorted(incidents.values(), key=lambda row: row.incident_id) if known(row)
    )
    for row in incidents.values():
        fields = {name: getattr(row, name) for name in IncidentState._fields if hasattr(row, name)}
        by = max(healed[row.incident_id, row.agent_id], default=(0, "", ""))[2]
        derived = {"healed_by": by, "recurrence": int(row.incident_id in again), "label_set": labels[row.agent_id]}
        if contribution := of_incident(IncidentState(**fields, **derived)):
            counted.append(contribution)
    return together((each, 1) for each in counted)


def known(row):
    return not row.explained_by and not row.held


def episode(row):
    end = row.closed_at if row.verified_at is None or row.closed_at is None else row.verified_at
    return Episode(
        id=row.incident_id,
        subject=(row.agent_id, row.target, row.issue_type),
        start=row.first_bad_at / SECOND,
        end=None if end is None else end / SECOND,
    )


def stored(connection):
    numbers = ", ".join(Numbers._fields)
    told = connection.execute(
        "SELECT grain, start, kind, label_set, issue_type, layer, playbook, ending, bucket,"
        f" {numbers} FROM rollups JOIN rollup_groups USING (group_id)"
    )
    return {Cell(grain, start, Group(*rest[:6]), rest[6]): Numbers(*rest[7:]) for grain, start, *rest in told}


def transact(connection, *changes):
    connection.execute("BEGIN IMMEDIATE")
    for change in changes:
        change(connection)
    settle(connection)
    connection.execute("COMMIT")


def put(row):
    return lambda connection: (put_incident if hasattr(row, "first_bad_at") else put_execution)(connection, row)


def labelled(agent_id, labels):
    def tell(connection):
        told = msgspec.json.encode(labels).decode()
        connection.execute("UPDATE agents SET labels = ? WHERE agent_id = ?", (told, agent_id))
        put_labels(connection, agent_id, labels)

    return tell


def fleet(connection, kind="recovery", grain=86_400):
    return [(cell.group, numbers) for cell, numbers in stored(connection).items()
            if (cell.group.kind, cell.grain_s, cell.group.label_set) == (kind, grain, 0)]  # fmt: skip


ids = st.sampled_from("abcdef")
incidents = st.builds(
    lambda name, agent, target, issue, began, lasted, how, changed: put(
        rows.incident(name, issue, ago(began), lasted, how if lasted is not None else None,
                      agent_id=agent, target=target, **changed)
    ),
    ids, st.sampled_from(AGENTS), st.sampled_from(["web", "db"]), st.sampled_from(["link_down", "http_error"]),
    st.sampled_from([0, 30, 90, 3 * HOUR, 26 * HOUR, 47 * HOUR]), st.sampled_from([None, 0, 0.2, 7, 7.01, 3 * HOUR]),
    st.sampled_from(["auto", "manual", "unknown_9"]),
    st.sampled_from([{}, {}, {"held": True}, {"explained_by": "x"}, {"layer": 7}, {"time_to_recover_seconds": -1.0}]),
)  # fmt: skip
executions = st.builds(
    lambda name, about, agent, playbook, outcome, began: put(
        rows.execution(name, about, playbook, outcome, ago(began), agent_id=agent)
    ),
    ids, ids, st.sampled_from(AGENTS), st.sampled_from(["bounce_link", "restart_service"]),
    st.sampled_from([None, "healed", "ineffective"]), st.sampled_from([10, 70, 4 * HOUR]),
)  # fmt: skip
relabelled = st.builds(
    labelled, st.sampled_from(AGENTS), st.sampled_from([{}, {"site": "ams"}, {"site": "fra", "role": "web"}])
)
transactions = st.lists(st.lists(incidents | executions | relabelled, min_size=1, max_size=4), min_size=1, max_size=8)


@given(transactions)
@settings(max_examples=200, deadline=None)
def test_they_are_what_the_rows_come_to(tmp_path_factory, sequence):
    connection = fresh(tmp_path_factory.mktemp("rollups") / "guardian.db")
    for changes in sequence:
        transact(connection, *changes)
        assert stored(connection) == expected(connection)
    before = stored(connection)
    with connection:
        rebuild(connection)
    assert stored(connection) == before
    connection.close()


class CutOff(apsw.Error):
    """As if the process had ended there."""


@given(transactions, st.data())
@settings(max_examples=100, deadline=None)
def test_cut_off_at_any_statement_and_sent_again_they_are_the_same(tmp_path_factory, sequence, data):
    path = tmp_path_factory.mktemp("rollups") / "guardian.db"
    connection = fresh(path)
    for changes in sequence:
        left = data.draw(st.integers(1, 60), label="statements until it is cut off")

        def count_down(*_statement):
            nonlocal left
            left -= 1
            if left == 0:
                raise CutOff
            return True

        connection.exec_trace = count_down
        try:
            transact(connection, *changes)
        except CutOff:
            connection.close()
            connection = open_writer(path)
            assert stored(connection) == expected(connection)
        connection.exec_trace = None
        transact(connection, *changes)  # the agent had no answer, or sends it a second time
        assert stored(connection) == expected(connection)
    connection.close()


def test_a_late_record_lands_in_its_own_minute(connection):
    transact(connection, put(rows.incident("new", "link_down", ago(0), 5, "auto")))
    transact(connection, put(rows.incident("late", "link_down", ago(86_400 * 3), 5, "auto")))
    starts = {cell.start_s for cell in stored(connection) if cell.grain_s == 60}
    assert starts == {(ago(0) // SECOND), (ago(86_400 * 3) // SECOND)}


def test_an_incident_belongs_to_the_playbook_that_healed_it_whichever_record_came_first(connection):
    healed = put(rows.execution("e", "i", "bounce_link", "healed", ago(90)))
    closed = put(rows.incident("i", "link_down", ago(100), 5, "auto"))
    transact(connection, healed)
    transact(connection, closed)
    assert [group.playbook for group, _ in fleet(connection)] == ["bounce_link"]
    assert [group.layer for group, _ in fleet(connection, "execution")] == [4]


def test_an_execution_that_turns_out_to_be_about_another_incident_healed_that_one(connection):
    for name in "ab":
        transact(connection, put(rows.incident(name, "link_down", ago(100), 5, "auto", target=name)))
    for about in "ab":
        transact(connection, put(rows.execution("e", about, "bounce_link", "healed", ago(90))))
    assert stored(connection) == expected(connection)
    assert sorted(group.playbook for group, _ in fleet(connection)) == ["", "bounce_link"]


def test_an_earlier_outage_that_is_told_later_makes_the_next_one_a_recurrence(connection):
    transact(connection, put(rows.incident("b", "link_down", ago(100), 5, "auto")))
    assert [numbers.recurrences for _, numbers in fleet(connection)] == [0]
    transact(connection, put(rows.incident("a", "link_down", ago(HOUR), 5, "auto")))
    assert sum(numbers.recurrences for _, numbers in fleet(connection)) == 1


def test_a_host_takes_its_history_along_to_its_new_labels(connection):
    transact(connection, put(rows.incident("a", "link_down", ago(100), 5, "auto")))
    transact(connection, labelled("web-1", {"site": "ams"}))
    sets = dict(connection.execute("SELECT label_set, labels FROM label_sets"))
    used = {sets[cell.group.label_set] for cell in stored(connection)}
    assert used == {"", '{"site":"ams"}'}


def test_an_agent_that_tells_absurd_durations_stops_no_commit(connection):
    row = rows.incident("i", "link_down", ago(100), 5, "auto", time_to_recover_seconds=1e300)
    absurd = [put(msgspec.structs.replace(row, incident_id=f"i{number}")) for number in range(3000)]
    transact(connection, *absurd)
    transact(connection, *(put(rows.incident(f"j{n}", "link_down", ago(100), 5, "auto")) for n in range(3)))
    ((_, first), (_, absurd_ones)) = sorted(fleet(connection), key=lambda each: each[1].total)
    assert (first.total, first.micros) == (3, 15_000_000)
    assert (absurd_ones.total, absurd_ones.micros) == (3000, 1 << 57)


def test_the_order_in_which_labels_are_told_does_not_matter(connection):
    labels = {"a": "1", "b": "2"}
    with connection:
        assert put_label_set(connection, "web-1", labels)
        assert not put_label_set(connection, "web-1", dict(reversed(labels.items())))


def test_a_database_of_the_version_before_gets_them_when_it_is_opened(tmp_path):
    path = tmp_path / "guardian.db"
    old = apsw.Connection(str(path))
    for number, migration in enumerate(migrations()[:2], start=1):
        old.execute(f"{migration}; PRAGMA user_version = {number}")
    for row in (rows.incident("a", "link_down", ago(100), 5, "auto"), rows.incident("b", "link_down", ago(50))):
        old.execute(INCIDENTS.insert_sql, INCIDENTS.bindings(row))
    row = rows.execution("e", "a", "bounce_link", "healed", ago(90))
    old.execute(EXECUTIONS.insert_sql, EXECUTIONS.bindings(row))
    known_agents(old, '{"site":"ams"}')
    old.close()
    new = open_writer(path)
    assert stored(new) == expected(new)
    assert [(group.playbook, numbers.total) for group, numbers in fleet(new)] == [("bounce_link", 1)]
    assert {cell.group.label_set for cell in stored(new)} == {0, 2}
    new.close()
