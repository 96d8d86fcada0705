"""What incidents and executions come to together, by minute, hour and day, kept with the rows in one transaction."""

from guardian_aggregator.store.rollups.contribution import (
    NO_DURATION,
    Contribution,
    ExecutionState,
    IncidentState,
    Numbers,
    of_execution,
    of_incident,
)
from guardian_aggregator.store.rollups.reading import Kind, RollupReader, Sums, sums_of
from guardian_aggregator.store.rollups.settle import put_label_set, rebuild, settle
from guardian_aggregator.store.rollups.touched import watch

__all__ = [
    "NO_DURATION",
    "Contribution",
    "ExecutionState",
    "IncidentState",
    "Kind",
    "Numbers",
    "RollupReader",
    "Sums",
    "of_execution",
    "of_incident",
    "put_label_set",
    "rebuild",
    "settle",
    "sums_of",
    "watch",
]
