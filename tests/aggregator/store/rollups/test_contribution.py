import pytest

from guardian_aggregator.durations import counted
from guardian_aggregator.store.rollups.contribution import (
    NO_DURATION,
    ExecutionState,
    IncidentState,
    Numbers,
    of_execution,
    of_incident,
    together,
)

SECOND = 10**9
BEGAN = 1_700_000_000 * SECOND  # 20 seconds into a minute
INCIDENT = IncidentState(
    first_bad_at=BEGAN,
    target="web",
    issue_type="link_down",
    layer=1,
    explained_by="",
    held=0,
    closed_at=BEGAN + 9 * SECOND,
    verified_at=BEGAN + 8 * SECOND,
    resolution="auto",
    time_to_recover_seconds=7.5,
    healed_by="bounce_link",
    recurrence=1,
    label_set=5,
)


def test_a_closed_incident_counts_with_its_own_duration():
    it = of_incident(INCIDENT)
    micros, bucket, offset, _ = counted(7.5)
    assert it.numbers == Numbers(1, micros, offset, offset**2, 1, 1)
    assert (it.bucket, it.start_s % 60, it.group.playbook, it.group.ending) == (bucket, 0, "bounce_link", "auto")


@pytest.mark.parametrize("changed", [{"explained_by": "other"}, {"held": 1}, {"closed_at": None}])
def test_what_is_explained_held_or_open_adds_nothing(changed):
    assert of_incident(INCIDENT._replace(**changed)) is None


@pytest.mark.parametrize(("verified_at", "seconds"), [(BEGAN + 8 * SECOND, 8), (None, 9)])
def test_without_a_duration_the_wall_clock_is_what_there_is(verified_at, seconds):
    it = of_incident(INCIDENT._replace(time_to_recover_seconds=None, verified_at=verified_at))
    assert it.numbers.micros == seconds * 1_000_000


def test_a_time_that_cannot_be_counts_and_is_in_no_duration():
    it = of_incident(INCIDENT._replace(time_to_recover_seconds=-1.0))
    assert (it.bucket, it.numbers) == (NO_DURATION, Numbers(1, recurrences=1))


@pytest.mark.parametrize("resolution", [None, "", "unknown_9"])
def test_an_ending_without_a_word_is_unknown(resolution):
    assert of_incident(INCIDENT._replace(resolution=resolution)).group.ending == "unknown"


def test_it_is_added_to_each_grain_of_the_fleet_and_of_its_labels():
    cells = list(of_incident(INCIDENT).cells())
    assert {(cell.grain_s, cell.group.label_set) for cell in cells} == {
        (grain, labels) for grain in (60, 3600, 86_400) for labels in (0, 5)
    }
    for cell in cells:
        assert cell.start_s % cell.grain_s == 0
        assert cell.start_s <= BEGAN // SECOND < cell.start_s + cell.grain_s


def test_an_execution_counts_by_its_outcome():
    state = ExecutionState(BEGAN, "i", "link_down", 1, "bounce_link", None, 5)
    assert (of_execution(state).group.ending, of_execution(state).numbers) == ("", Numbers(1))
    assert of_execution(state._replace(outcome="healed")).group.ending == "healed"


def test_what_is_taken_away_again_leaves_nothing():
    it, other = of_incident(INCIDENT), of_incident(INCIDENT._replace(time_to_recover_seconds=0.2))
    assert together([(it, 1), (other, 1), (it, -1)]) == together([(other, 1)])
    assert together([(it, 1), (it, -1)]) == {}
