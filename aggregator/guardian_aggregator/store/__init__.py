"""The aggregator's memory: every record as it came, and the rows made of records."""

from guardian_aggregator.store.database import migrate, open_writer, own
from guardian_aggregator.store.filter import Filter
from guardian_aggregator.store.queries import Queries
from guardian_aggregator.store.rows import FleetSelfHealth, RecoveryRow, Rows
from guardian_aggregator.store.store import Store

__all__ = ["Filter", "FleetSelfHealth", "Queries", "RecoveryRow", "Rows", "Store", "migrate", "open_writer", "own"]
