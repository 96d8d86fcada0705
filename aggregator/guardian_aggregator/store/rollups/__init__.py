"""What incidents and executions come to together, by minute, hour and day, kept with the rows in one transaction."""

from guardian_aggregator.store.rollups.contribution import GRAINS_S, Cell, Group, Numbers
from guardian_aggregator.store.rollups.settle import put_label_set, rebuild, settle
from guardian_aggregator.store.rollups.touched import watch

__all__ = ["GRAINS_S", "Cell", "Group", "Numbers", "put_label_set", "rebuild", "settle", "watch"]
