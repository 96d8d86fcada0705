"""The journal against the plainest model of it: what was put last is there, and what is over is forgotten in time."""

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from tests.agent.state.tables import new_tables

from guardian_agent.model import Outcome
from guardian_agent.state import journal
from guardian_agent.state.journal import ExecutionRow, IncidentRow, MemoryRow

FEW = 2  # KEPT, for these tests

ids = st.sampled_from("abcdef")
memories = st.builds(MemoryRow, st.sampled_from(["n", "m"]), ids, st.none() | st.binary(max_size=3))


def _prune(model: dict[str, bool]) -> None:
    over = [id_ for id_, is_over in model.items() if is_over]
    for id_ in over[: max(0, len(over) - FEW)]:
        del model[id_]


@given(puts=st.lists(st.tuples(ids, st.booleans()), max_size=25))
def test_open_incidents_stay_and_of_the_closed_ones_the_newest(puts: list[tuple[str, bool]]) -> None:
    connection = new_tables()
    closed: dict[str, bool] = {}  # by id, in the order of appearing
    bodies: dict[str, bytes] = {}
    with patch.object(journal, "KEPT", FEW):
        for number, (id_, over) in enumerate(puts):
            bodies[id_] = str(number).encode()
            IncidentRow(id_, over, bodies[id_]).put(connection)
            closed[id_] = over
            if over:
                _prune(closed)
    assert journal.open_incidents(connection) == [(id_, bodies[id_]) for id_, over in closed.items() if not over]
    left = connection.execute("SELECT incident_id, body FROM incident ORDER BY number")
    assert list(left) == [(id_, bodies[id_]) for id_ in closed]


@given(puts=st.lists(st.tuples(ids, st.none() | st.sampled_from(Outcome)), max_size=25))
def test_an_execution_that_has_ended_never_runs_again(puts: list[tuple[str, Outcome | None]]) -> None:
    connection = new_tables()
    finished: dict[str, bool] = {}
    bodies: dict[str, bytes] = {}
    with patch.object(journal, "KEPT", FEW):
        for number, (id_, outcome) in enumerate(puts):
            bodies[id_] = str(number).encode()
            ExecutionRow(id_, "restart_service", outcome, number, bodies[id_]).put(connection)
            ends = outcome is not None and not finished.get(id_, False)
            finished[id_] = finished.get(id_, False) or ends
            if ends:
                _prune(finished)
    running = [(id_, bodies[id_]) for id_, over in finished.items() if not over]
    assert journal.unfinished_executions(connection) == running
    newest = [(id_, bodies[id_]) for id_ in reversed(finished)]
    assert journal.recent_executions(connection, 100) == newest
    assert journal.recent_executions(connection, 1) == newest[:1]


@given(puts=st.lists(memories, max_size=25))
def test_the_last_word_of_a_kind_and_key_is_remembered(puts: list[MemoryRow]) -> None:
    connection = new_tables()
    model: dict[tuple[str, str], bytes | None] = {}
    for row in puts:
        row.put(connection)
        model[row.kind, row.key] = row.value
    for kind in ("n", "m"):
        expected = [(key, value) for (of, key), value in sorted(model.items()) if of == kind and value is not None]
        assert journal.remembered(connection, kind) == expected


def test_the_last_run_is_the_latest_one_in_whatever_order_they_end() -> None:
    connection = new_tables()
    for number, started in enumerate((30, 10, 20)):
        ExecutionRow(str(number), "restart_service", Outcome.HEALED, started, b"{}").put(connection)
    assert journal.counters(connection)["restart_service"].last_run_wall_ns == 30
