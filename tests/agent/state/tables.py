"""The agent's tables in memory, and outbox rows put into them by hand."""

from pathlib import Path

import apsw

from guardian_agent.state.rows import Row
from guardian_agent.state.schema import migrate


def new_tables() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    migrate(connection, Path("state.db"))
    return connection


def put(connection: apsw.Connection, row: Row, rank: int | None = None, incident_id: str | None = None) -> None:
    values = (row.first_seq, row.last_seq, row.kind, rank, incident_id, row.record, row.chain)
    connection.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?)", values)


def rows(connection: apsw.Connection) -> list[Row]:
    """Every row as it is stored, in order."""
    query = "SELECT first_seq, last_seq, kind, record, chain FROM outbox ORDER BY first_seq"
    return [Row(*values) for values in connection.execute(query)]
