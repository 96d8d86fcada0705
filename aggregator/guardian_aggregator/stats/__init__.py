"""Recovery statistics: pure functions on numbers. docs/recovery-statistics.md explains each to an operator."""

from guardian_aggregator.durations import TARGET_S
from guardian_aggregator.stats.coverage import CLOCK_OFF_S, STALE_AFTER_S, Coverage, Lost, coverage, is_stale
from guardian_aggregator.stats.durations import Durations
from guardian_aggregator.stats.interval import LEVEL, Interval
from guardian_aggregator.stats.proportion import ratio
from guardian_aggregator.stats.recovery import (
    METHOD_VERSION,
    UNKNOWN,
    ByResolution,
    Ending,
    Recoveries,
    Recovery,
    RecoveryStatistics,
    ResolutionPart,
    summarise,
)
from guardian_aggregator.stats.recurrence import Episode, recurrences

__all__ = [
    "CLOCK_OFF_S",
    "LEVEL",
    "METHOD_VERSION",
    "STALE_AFTER_S",
    "TARGET_S",
    "UNKNOWN",
    "ByResolution",
    "Coverage",
    "Durations",
    "Ending",
    "Episode",
    "Interval",
    "Lost",
    "Recoveries",
    "Recovery",
    "RecoveryStatistics",
    "ResolutionPart",
    "coverage",
    "is_stale",
    "ratio",
    "recurrences",
    "summarise",
]
