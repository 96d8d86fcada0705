-- Who has ever said Hello, as it was last said.
CREATE TABLE agents (
  agent_id TEXT PRIMARY KEY,
  labels TEXT NOT NULL,
  agent_version TEXT NOT NULL,
  mode TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  targets TEXT NOT NULL,
  watches TEXT NOT NULL,
  connected INTEGER NOT NULL,
  first_seen_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  stream INTEGER NOT NULL,
  records INTEGER NOT NULL DEFAULT 0,
  clock_offset_seconds REAL
) STRICT, WITHOUT ROWID;

CREATE TABLE agent_labels (
  agent_id TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (agent_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX agent_labels_by_value ON agent_labels (key, value, agent_id);

-- One outbox's life. Everything up to the watermark is stored here; chain is NULL where a gap made it unknown.
CREATE TABLE streams (
  stream INTEGER PRIMARY KEY,
  agent_id TEXT NOT NULL,
  epoch BLOB NOT NULL,
  watermark INTEGER NOT NULL,
  chain BLOB,
  first_seen_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  UNIQUE (agent_id, epoch)
) STRICT;

-- Every record as its agent wrote it. The watermark keeps out what was here before; the key is the alarm should it ever fail.
CREATE TABLE records (
  stream INTEGER NOT NULL REFERENCES streams (stream),
  seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  raw BLOB NOT NULL,
  PRIMARY KEY (stream, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE incidents (
  incident_id TEXT PRIMARY KEY,
  agent_id TEXT NOT NULL,
  target TEXT NOT NULL,
  issue_type TEXT NOT NULL,
  layer INTEGER NOT NULL,
  owner_probe TEXT NOT NULL,
  symptoms TEXT NOT NULL,
  explained_by TEXT NOT NULL,
  recurrence_of TEXT NOT NULL,
  last_good_at INTEGER,
  first_bad_at INTEGER NOT NULL,
  detected_at INTEGER NOT NULL,
  decided_at INTEGER,
  action_started_at INTEGER,
  action_finished_at INTEGER,
  verified_at INTEGER,
  closed_at INTEGER,
  resolution TEXT,
  recovered_by TEXT NOT NULL,
  held INTEGER NOT NULL,
  exhausted INTEGER NOT NULL,
  evidence TEXT NOT NULL,
  time_to_detect_seconds REAL,
  time_to_recover_seconds REAL,
  recover_upper_seconds REAL,
  across_boots INTEGER NOT NULL
) STRICT;
CREATE INDEX incidents_by_time ON incidents (first_bad_at, incident_id);
CREATE INDEX incidents_by_agent ON incidents (agent_id, first_bad_at);

CREATE TABLE executions (
  execution_id TEXT PRIMARY KEY,
  incident_id TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  playbook TEXT NOT NULL,
  target TEXT NOT NULL,
  issue_type TEXT NOT NULL,
  outcome TEXT,
  reason TEXT NOT NULL,
  rung INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  finished_at INTEGER,
  verified_at INTEGER,
  duration_seconds REAL,
  steps TEXT NOT NULL,
  evidence TEXT NOT NULL
) STRICT;
CREATE INDEX executions_by_time ON executions (started_at, execution_id);
CREATE INDEX executions_by_agent ON executions (agent_id, started_at);
CREATE INDEX executions_by_incident ON executions (incident_id);

CREATE TABLE transitions (
  transition_id INTEGER PRIMARY KEY,
  agent_id TEXT NOT NULL,
  probe TEXT NOT NULL,
  target TEXT NOT NULL,
  layer INTEGER NOT NULL,
  from_state TEXT NOT NULL,
  to_state TEXT NOT NULL,
  issue_type TEXT NOT NULL,
  evidence TEXT NOT NULL,
  at INTEGER NOT NULL,
  first_seen INTEGER NOT NULL
) STRICT;
CREATE INDEX transitions_by_time ON transitions (at);
CREATE INDEX transitions_by_agent ON transitions (agent_id, at);

CREATE TABLE condition_states (
  agent_id TEXT NOT NULL,
  probe TEXT NOT NULL,
  target TEXT NOT NULL,
  layer INTEGER NOT NULL,
  state TEXT NOT NULL,
  issue_type TEXT NOT NULL,
  evidence TEXT NOT NULL,
  at INTEGER NOT NULL,
  first_seen INTEGER NOT NULL,
  PRIMARY KEY (agent_id, probe, target, layer)
) STRICT, WITHOUT ROWID;

CREATE TABLE pages (
  page_id TEXT PRIMARY KEY,
  agent_id TEXT NOT NULL,
  incident_id TEXT NOT NULL,
  target TEXT NOT NULL,
  reason TEXT NOT NULL,
  text TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX pages_by_time ON pages (at, page_id);

CREATE TABLE gaps (
  stream INTEGER NOT NULL REFERENCES streams (stream),
  agent_id TEXT NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  reason TEXT NOT NULL,
  counts TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (stream, first_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX gaps_by_time ON gaps (at);

CREATE TABLE playbooks (
  agent_id TEXT NOT NULL,
  id TEXT NOT NULL,
  family TEXT NOT NULL,
  tier INTEGER NOT NULL,
  heals TEXT NOT NULL,
  executions INTEGER NOT NULL,
  successes INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  PRIMARY KEY (agent_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
  name TEXT NOT NULL,
  label TEXT NOT NULL,
  value INTEGER NOT NULL,
  PRIMARY KEY (name, label)
) STRICT, WITHOUT ROWID;
