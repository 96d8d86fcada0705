-- What recovery statistics are made of, added up by minute, hour and day: an answer costs its buckets, not its history.

-- The labels that hosts carry, as a set: 0 is the whole fleet's, 1 that of hosts without any.
CREATE TABLE label_sets (
  label_set INTEGER PRIMARY KEY,
  labels TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO label_sets (label_set, labels) VALUES (0, ''), (1, '{}');
ALTER TABLE agents ADD COLUMN label_set INTEGER NOT NULL DEFAULT 1;

-- Worked out from other rows, whenever those change.
ALTER TABLE incidents ADD COLUMN healed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE incidents ADD COLUMN recurrence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE incidents ADD COLUMN label_set INTEGER NOT NULL DEFAULT 1;
ALTER TABLE executions ADD COLUMN layer INTEGER NOT NULL DEFAULT 0;
ALTER TABLE executions ADD COLUMN label_set INTEGER NOT NULL DEFAULT 1;
CREATE INDEX incidents_by_subject ON incidents (agent_id, target, issue_type, first_bad_at);
CREATE INDEX incidents_open ON incidents (first_bad_at) WHERE closed_at IS NULL;
CREATE INDEX condition_states_by_layer ON condition_states (layer, agent_id, state);
CREATE INDEX condition_states_failing ON condition_states (layer, agent_id, probe, target) WHERE state = 'failing';
CREATE INDEX executions_by_playbook ON executions (playbook, started_at);

CREATE TABLE rollup_groups (
  group_id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  label_set INTEGER NOT NULL REFERENCES label_sets (label_set),
  issue_type TEXT NOT NULL,
  layer INTEGER NOT NULL,
  playbook TEXT NOT NULL,
  ending TEXT NOT NULL,
  UNIQUE (kind, label_set, issue_type, layer, playbook, ending)
) STRICT;

-- Whole numbers only, so that what is added and taken away again leaves nothing behind.
CREATE TABLE rollups (
  by_labels INTEGER NOT NULL,
  grain INTEGER NOT NULL,
  start INTEGER NOT NULL,
  group_id INTEGER NOT NULL REFERENCES rollup_groups (group_id),
  bucket INTEGER NOT NULL,
  total INTEGER NOT NULL,
  micros INTEGER NOT NULL,
  log_offsets INTEGER NOT NULL,
  log_squares INTEGER NOT NULL,
  quick INTEGER NOT NULL,
  recurrences INTEGER NOT NULL,
  PRIMARY KEY (by_labels, grain, start, group_id, bucket)
) STRICT, WITHOUT ROWID;

-- How often what began on that day has changed: who has read it knows by this whether it still holds.
CREATE TABLE rollup_days (
  start INTEGER PRIMARY KEY,
  changes INTEGER NOT NULL
) STRICT;
