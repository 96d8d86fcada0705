"""What one incident or execution adds to the rollups."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from guardian_aggregator.durations import counted
from guardian_aggregator.model import Resolution

MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 86_400
GRAINS_S: Final = (MINUTE_S, HOUR_S, DAY_S)
FLEET: Final = 0
"""The label set that stands for every host."""

NO_DURATION: Final = -1_000_000
"""The bucket of what has none: an execution, or a recovery of which a time is told that cannot be."""

_SECOND_NS = 1_000_000_000
_RESOLUTIONS = frozenset(Resolution)


class Group(NamedTuple):
    """What is told apart; `kind` is `recovery` or `execution`, `ending` a resolution or an outcome ('': it runs)."""

    kind: str
    label_set: int
    issue_type: str
    layer: int
    playbook: str
    ending: str


class Cell(NamedTuple):
    """One place of the rollups: `start_s` is the first second of a minute, hour or day (`grain_s`)."""

    grain_s: int
    start_s: int
    group: Group
    bucket: int


class Numbers(NamedTuple):
    """What is added up in a cell: the durations in microseconds, their logarithms' distances from the bucket's middle
    and the squares of those, how many were within the target, how many came back within a day."""

    total: int
    micros: int = 0
    log_offsets: int = 0
    log_squares: int = 0
    quick: int = 0
    recurrences: int = 0


class IncidentState(NamedTuple):
    """The columns of an incident on which the rollups rest."""

    first_bad_at: int
    target: str
    issue_type: str
    layer: int
    explained_by: str
    held: int
    closed_at: int | None
    verified_at: int | None
    resolution: str | None
    time_to_recover_seconds: float | None
    healed_by: str
    recurrence: int
    label_set: int


class ExecutionState(NamedTuple):
    """The columns of an execution on which the rollups rest."""

    started_at: int
    incident_id: str
    issue_type: str
    layer: int
    playbook: str
    outcome: str | None
    label_set: int


class Contribution(NamedTuple):
    """What one row adds, in the minute `start_s` and in all that this minute lies in."""

    start_s: int
    group: Group
    bucket: int
    numbers: Numbers

    def cells(self) -> Iterator[Cell]:
        """Everywhere it is added: to each grain, of the whole fleet and of the hosts with the same labels."""
        for grain_s in GRAINS_S:
            start_s = self.start_s - self.start_s % grain_s
            yield Cell(grain_s, start_s, self.group._replace(label_set=FLEET), self.bucket)
            yield Cell(grain_s, start_s, self.group, self.bucket)


def of_incident(state: IncidentState) -> Contribution | None:
    """None: it is not counted (explained by another, held), or still open."""
    if state.explained_by or state.held or state.closed_at is None:
        return None
    ending = state.resolution if state.resolution in _RESOLUTIONS else "unknown"
    group = Group("recovery", state.label_set, state.issue_type, state.layer, state.healed_by, str(ending))
    start_s = _minute(state.first_bad_at)
    seconds = state.time_to_recover_seconds
    if seconds is None:  # an agent that closed it without having measured: the wall clock is what there is
        ended = state.closed_at if state.verified_at is None else state.verified_at
        seconds = (ended - state.first_bad_at) / _SECOND_NS
    if seconds < 0:
        return Contribution(start_s, group, NO_DURATION, Numbers(1, recurrences=state.recurrence))
    micros, bucket, offset, is_quick = counted(seconds)
    return Contribution(
        start_s, group, bucket, Numbers(1, micros, offset, offset * offset, int(is_quick), state.recurrence)
    )


def of_execution(state: ExecutionState) -> Contribution:
    group = Group("execution", state.label_set, state.issue_type, state.layer, state.playbook, state.outcome or "")
    return Contribution(_minute(state.started_at), group, NO_DURATION, Numbers(1))


def together(signed: Iterable[tuple[Contribution, int]]) -> dict[Cell, Numbers]:
    """What all of these come to, each as often as it says; cells for which nothing is left are left out."""
    sums: dict[Cell, list[int]] = {}
    for contribution, sign in signed:
        for cell in contribution.cells():
            sum_ = sums.setdefault(cell, [0] * len(Numbers._fields))
            for place, number in enumerate(contribution.numbers):
                sum_[place] += sign * number
    return {cell: Numbers(*sum_) for cell, sum_ in sums.items() if any(sum_)}


def _minute(at_ns: int) -> int:
    seconds = at_ns // _SECOND_NS
    return seconds - seconds % MINUTE_S
