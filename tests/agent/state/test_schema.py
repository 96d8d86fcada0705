"""A database is brought up to date a whole step at a time."""

from pathlib import Path

import apsw
import pytest
from tests.agent.state.tables import new_tables

from guardian_agent.errors import StateError
from guardian_agent.state import schema
from guardian_agent.state.schema import MIGRATIONS, migrate

FILE = Path("state.db")


def _made(connection: apsw.Connection) -> tuple[object, list[object]]:
    """The version of the schema, and all that was ever made in it."""
    version = connection.execute("PRAGMA user_version").get
    return version, list(connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name"))


def test_a_database_that_is_up_to_date_is_left_as_it_is() -> None:
    connection = new_tables()
    before = _made(connection)
    assert before[0] == len(MIGRATIONS)
    migrate(connection, FILE)
    assert _made(connection) == before


def test_a_step_that_fails_half_way_leaves_no_half_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = new_tables()
    before = _made(connection)
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE more (a); CREATE TABLE outbox (a);"))
    with pytest.raises(apsw.SQLError, match="already exists"):
        migrate(connection, FILE)
    assert _made(connection) == before
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE more (a)", "CREATE TABLE most (a)"))
    migrate(connection, FILE)
    version, made = _made(connection)
    assert version == len(MIGRATIONS) + 2
    assert {("table", "more", "CREATE TABLE more (a)"), ("table", "most", "CREATE TABLE most (a)")} < set(made)


def test_what_a_newer_agent_wrote_is_refused_with_both_versions() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StateError, match=f"its schema is 99, this one's {len(MIGRATIONS)}"):
        migrate(connection, FILE)
