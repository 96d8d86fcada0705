-- How each agent itself fared lately: its newest word, no older ones. Those are among the records.
CREATE TABLE self_health (
  agent_id TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  over_seconds REAL NOT NULL,
  cpu_seconds REAL NOT NULL,
  resident_bytes INTEGER NOT NULL,
  loop_lag_worst_seconds REAL NOT NULL,
  waited_for_cpu_seconds REAL NOT NULL,
  looks INTEGER NOT NULL,
  looks_unknown INTEGER NOT NULL,
  looks_late INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
