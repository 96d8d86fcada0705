"""The tables of the agent's database, and the steps that bring an older file up to date."""

from pathlib import Path

import apsw

from guardian_agent.errors import StateError

_FIRST = """
CREATE TABLE outbox (
    first_seq INTEGER PRIMARY KEY,
    last_seq INTEGER NOT NULL,      -- first_seq, but for a gap
    kind TEXT NOT NULL,
    drop_rank INTEGER,              -- dropped lowest first when the outbox is full; NULL: never
    subject TEXT,                   -- id of the incident that the record is about
    record BLOB NOT NULL,           -- what is sent; of a gap, what was dropped (JSON)
    chain BLOB NOT NULL             -- chain value of last_seq
);
CREATE INDEX outbox_by_rank ON outbox (drop_rank, first_seq) WHERE drop_rank IS NOT NULL;
CREATE INDEX outbox_by_subject ON outbox (subject) WHERE subject IS NOT NULL;

CREATE TABLE outbox_head (          -- one row
    epoch BLOB NOT NULL,
    acked INTEGER NOT NULL,
    acked_chain BLOB NOT NULL,
    horizon INTEGER NOT NULL,       -- nothing that begins beyond it was ever sent
    next_seq INTEGER NOT NULL,
    chain BLOB NOT NULL,
    live_rows INTEGER NOT NULL,
    live_bytes INTEGER NOT NULL,
    dropped INTEGER NOT NULL        -- records ever dropped
);

CREATE TABLE incident (
    number INTEGER PRIMARY KEY,
    incident_id TEXT NOT NULL UNIQUE,
    closed INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX incident_closed ON incident (closed, number);

CREATE TABLE execution (
    number INTEGER PRIMARY KEY,
    execution_id TEXT NOT NULL UNIQUE,
    finished INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX execution_finished ON execution (finished, number);

CREATE TABLE counter (
    playbook TEXT PRIMARY KEY,
    executions INTEGER NOT NULL,
    successes INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    last_run_wall_ns INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE memory (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
"""

MIGRATIONS = (_FIRST,)  # step n brings user_version n - 1 to n; a step that was released never changes


def migrate(connection: apsw.Connection, path: Path) -> None:
    """Brings the open database to this version's schema, one transaction a step.

    Raises:
        StateError: a newer agent wrote the file, so this one cannot know what is in it.
    """
    (current,) = connection.execute("PRAGMA user_version").fetchone() or (0,)
    if not isinstance(current, int) or current > len(MIGRATIONS):
        known = len(MIGRATIONS)
        raise StateError(
            f"{path}: written by a newer guardian-agent (its schema is {current}, this one's {known}): install that one"
        )
    for version, script in enumerate(MIGRATIONS[current:], current + 1):
        with connection:
            connection.execute(script)
            connection.execute(f"PRAGMA user_version = {version}")
