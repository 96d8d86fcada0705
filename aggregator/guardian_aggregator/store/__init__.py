"""The aggregator's memory: every record as it came, the rows made of records, and what these come to together."""

from guardian_aggregator.store.counting import AgentCounts, OpenIncident
from guardian_aggregator.store.database import migrate, open_writer, own
from guardian_aggregator.store.filter import Filter
from guardian_aggregator.store.layers import FailingCondition, LayerCounts
from guardian_aggregator.store.queries import Queries
from guardian_aggregator.store.rollups import NO_DURATION, Kind, Sums
from guardian_aggregator.store.rows import FleetSelfHealth, Rows
from guardian_aggregator.store.store import Store

__all__ = [
    "NO_DURATION",
    "AgentCounts",
    "FailingCondition",
    "Filter",
    "FleetSelfHealth",
    "Kind",
    "LayerCounts",
    "OpenIncident",
    "Queries",
    "Rows",
    "Store",
    "Sums",
    "migrate",
    "open_writer",
    "own",
]
