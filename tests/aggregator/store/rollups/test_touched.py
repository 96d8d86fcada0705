import pytest
from tests.aggregator.api import rows
from tests.aggregator.api.rows import ago

from guardian_aggregator.store import open_writer
from guardian_aggregator.store.projection import put_execution, put_incident
from guardian_aggregator.store.rollups import touched


@pytest.fixture
def connection(tmp_path):
    connection = open_writer(tmp_path / "guardian.db")
    put_incident(connection, rows.incident("i", "link_down", ago(100)))
    touched.forget(connection)
    yield connection
    connection.close()


def test_nothing_is_noted_where_nothing_changes(connection):
    assert not touched.anything(connection)


def test_of_each_row_it_is_known_what_it_was_before_the_first_change(connection):
    put_incident(connection, rows.incident("i", "http_error", ago(100)))
    put_incident(connection, rows.incident("i", "dns_failure", ago(100), 5, "auto"))
    ((before, now),) = touched.incidents(connection)
    assert (before.issue_type, before.closed_at, now.issue_type) == ("link_down", None, "dns_failure")
    assert now.closed_at is not None


def test_a_new_row_was_nothing_before_however_often_it_changes(connection):
    put_execution(connection, rows.execution("e", "i", "bounce_link", None, ago(90)))
    put_execution(connection, rows.execution("e", "i", "bounce_link", "healed", ago(90)))
    ((before, now),) = touched.executions(connection)
    assert (before, now.outcome) == (None, "healed")


def test_what_is_undone_was_never_touched(connection):
    connection.execute("BEGIN; SAVEPOINT job")
    put_incident(connection, rows.incident("i", "http_error", ago(100)))
    connection.execute("ROLLBACK TO job; RELEASE job; COMMIT")
    assert not touched.anything(connection)
