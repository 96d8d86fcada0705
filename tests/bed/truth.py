"""An incident as Guardian tells it, held against the outage that a client saw."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.bed.watch import Outage


@dataclass(frozen=True)
class Differences:
    """Guardian's times less the client's, in seconds: when it began, when it ended, how long it lasted.

    `upper_s`: `recover_upper_seconds`, which reaches back to the last good look, less the client's outage.
    """

    begin_s: float
    end_s: float
    length_s: float
    upper_s: float


def differences(incident: dict[str, Any], outage: Outage) -> Differences:
    """The differences for a closed incident and an outage that is over. Raises ValueError when one of them is not."""
    if outage.end is None or incident["verified_at"] is None:
        raise ValueError(f"not over yet: {incident} {outage}")
    return Differences(
        begin_s=_boottime(incident["first_bad_at"]) - outage.start,
        end_s=_boottime(incident["verified_at"]) - outage.end,
        length_s=incident["time_to_recover_seconds"] - outage.seconds,
        upper_s=incident["recover_upper_seconds"] - outage.seconds,
    )


def assert_inside(incident: dict[str, Any], outage: Outage, *, interval_s: float, timeout_s: float) -> None:
    """What Guardian reports lies inside what the client saw, give or take one interval and one timeout of its looks."""
    allowed_s = interval_s + timeout_s
    told = differences(incident, outage)
    assert -timeout_s <= told.begin_s <= allowed_s, told  # a question asked just before the fault is a bad one, too
    assert -allowed_s <= told.end_s <= allowed_s, told
    assert told.length_s <= allowed_s, told
    assert told.upper_s >= -allowed_s, told


def _boottime(moment: str) -> float:
    """The API's wall clock as CLOCK_BOOTTIME: all hosts of a bed have the clocks of one kernel, which nobody sets."""
    wall = datetime.fromisoformat(moment).timestamp()
    return wall - time.time() + time.clock_gettime(time.CLOCK_BOOTTIME)
