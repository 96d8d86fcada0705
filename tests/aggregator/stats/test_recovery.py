import math
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_aggregator import stats
from guardian_aggregator.model import Resolution
from guardian_aggregator.stats import UNKNOWN, Durations, Recoveries, Recovery, coverage, lognormal

COMPLETE = coverage([], 0)
AUTO, MANUAL, SPONTANEOUS = Resolution.AUTO, Resolution.MANUAL, Resolution.SPONTANEOUS

recoveries = st.lists(
    st.builds(
        Recovery,
        seconds=st.floats(0, 1e5),
        resolution=st.sampled_from([None, AUTO, MANUAL, SPONTANEOUS, UNKNOWN]),
        recurrence=st.booleans(),
    ),
    max_size=30,
)


def summarise(sample, known):
    return stats.summarise(Recoveries.of(sample), known)


def recovery(seconds, resolution=AUTO, recurrence=False):
    return Recovery(seconds=seconds, resolution=resolution, recurrence=recurrence)


def test_of_nothing_nothing_is_said():
    group = summarise([], COMPLETE)
    assert (group.count, group.open, group.notes) == (0, 0, ["no incidents"])
    assert {group.mttr_seconds, group.p99, group.rmst_seconds, group.auto_heal_ratio, group.horizon_seconds} == {None}


def test_a_worked_example_by_hand():
    group = summarise(
        [
            recovery(2),
            recovery(4, recurrence=True),
            recovery(300, MANUAL),
            recovery(10, SPONTANEOUS),
            recovery(500, None),
        ],
        COMPLETE,
    )
    assert (group.count, group.open) == (5, 1)
    assert group.mttr_seconds == pytest.approx(79)
    assert (group.p50, group.p90) == (4, 300)
    # survival 4/5 from 2, 3/5 from 4, 2/5 from 10, 1/5 from 300 to 500: 2 + 1.6 + 3.6 + 116 + 40
    assert group.rmst_seconds == pytest.approx(163.2)
    assert group.horizon_seconds == 500
    assert group.geometric_mean_seconds == pytest.approx((2 * 4 * 300 * 10) ** 0.25)
    assert group.under_target_ratio == pytest.approx(3 / 5)
    assert group.auto_heal_ratio == pytest.approx(2 / 5)
    assert group.recurrence_24h == pytest.approx(1 / 5)
    assert group.by_resolution.auto.count == 2
    assert group.by_resolution.auto.mttr_seconds == pytest.approx(3)
    assert group.by_resolution.manual.mttr_seconds == 300
    assert group.by_resolution.spontaneous.mttr_seconds == 10


def test_an_open_incident_younger_than_the_target_is_not_judged_yet():
    group = summarise([recovery(2), recovery(119, None)], COMPLETE)
    assert group.auto_heal_ratio == 1
    assert group.under_target_ratio == 1
    assert group.open == 1


def test_too_few_is_said_and_not_papered_over():
    group = summarise([recovery(each) for each in range(1, 10)], COMPLETE)
    assert {group.mttr_interval, group.rmst_interval, group.geometric_mean_interval, group.auto_heal_interval} == {None}
    assert any("too few to say" in note for note in group.notes)


def test_of_many_of_one_kind_every_interval_is_there_and_nothing_needs_a_note():
    group = summarise([recovery(math.exp(NormalDist().inv_cdf((n + 0.5) / 200))) for n in range(200)], COMPLETE)
    assert None not in {
        group.mttr_interval,
        group.rmst_interval,
        group.geometric_mean_interval,
        group.auto_heal_interval,
    }
    assert group.notes == []


def test_open_incidents_take_away_the_intervals_of_closed_only_numbers():
    group = summarise([*(recovery(each) for each in range(1, 31)), recovery(40, None)], COMPLETE)
    assert group.mttr_interval is None
    assert group.geometric_mean_interval is None
    assert group.rmst_interval is not None
    assert any("1 still open" in note for note in group.notes)


def test_all_open_is_no_time_to_recover():
    group = summarise([recovery(500, None)] * 12, COMPLETE)
    assert (group.mttr_seconds, group.rmst_seconds, group.auto_heal_ratio) == (None, None, 0)


def test_lost_records_are_noted():
    assert any("2 agents stale" in note for note in summarise([recovery(1)], coverage([], 2)).notes)


@given(recoveries)
def test_resolutions_and_open_ones_are_kept_apart_and_add_up(sample):
    group = summarise(sample, COMPLETE)
    parts = [getattr(group.by_resolution, name) for name in ("auto", "manual", "spontaneous", "unknown")]
    assert sum(part.count for part in parts) + group.open == group.count == len(sample)
    if group.mttr_seconds is not None:
        total = sum(part.count * part.mttr_seconds for part in parts if part.count)
        assert total / (group.count - group.open) == pytest.approx(group.mttr_seconds, abs=1e-6)


@given(recoveries)
def test_every_number_is_finite_and_every_ratio_a_ratio(sample):
    group = summarise(sample, COMPLETE)
    for name in group.__struct_fields__:
        value = getattr(group, name)
        assert not isinstance(value, float) or math.isfinite(value)
    for ratio in (group.under_target_ratio, group.auto_heal_ratio, group.recurrence_24h):
        assert ratio is None or 0 <= ratio <= 1


@given(recoveries)
def test_percentiles_ascend(sample):
    group = summarise(sample, COMPLETE)
    if group.p50 is not None:
        assert group.p50 <= group.p90 <= group.p95 <= group.p99


@given(recoveries)
def test_an_interval_is_published_or_its_absence_is_noted(sample):
    group = summarise(sample, COMPLETE)
    withheld = None in (
        group.mttr_interval,
        group.rmst_interval,
        group.geometric_mean_interval,
        group.auto_heal_interval,
    )
    assert withheld == bool(group.notes)


def test_more_than_one_resolution_has_no_interval_of_the_mean_and_each_part_its_own():
    group = summarise([recovery(2 + n / 10, MANUAL if n % 2 else AUTO) for n in range(40)], COMPLETE)
    assert group.mttr_interval is None
    assert any("by_resolution has each way's own" in note for note in group.notes)
    for part in (group.by_resolution.auto, group.by_resolution.manual):
        assert part.mttr_interval.low < part.mttr_seconds < part.mttr_interval.high
    assert group.by_resolution.spontaneous.mttr_interval is None


def test_a_part_of_nine_or_beside_an_open_incident_has_no_interval():
    nine = summarise([recovery(each) for each in range(1, 10)], COMPLETE)
    with_open = summarise([*(recovery(each) for each in range(1, 31)), recovery(40, None)], COMPLETE)
    assert nine.by_resolution.auto.mttr_interval is None
    assert with_open.by_resolution.auto.mttr_interval is None


def test_a_mean_outside_its_own_interval_has_none():
    group = summarise(
        [*[recovery(2 + n / 100) for n in range(190)], *[recovery(1800 + n) for n in range(10)]], COMPLETE
    )
    assert (
        lognormal.mean_interval(Durations.of([2 + n / 100 for n in range(190)] + [1800 + n for n in range(10)])).high
        < 92
    )
    assert group.mttr_interval is None
    assert group.by_resolution.auto.mttr_interval is None
    assert any("lies outside" in note for note in group.notes)


def test_an_impossible_duration_is_a_recovery_that_no_duration_knows():
    group = summarise([recovery(4), recovery(None)], COMPLETE)
    assert (group.count, group.open, group.mttr_seconds, group.p50) == (2, 0, 4, 4)
    assert (group.by_resolution.auto.count, group.by_resolution.auto.mttr_seconds) == (2, 4)
    assert (group.auto_heal_ratio, group.under_target_ratio, group.rmst_seconds) == (1, 1, 4)
    assert any("1 recovered in a time that cannot be" in note for note in group.notes)


def test_only_impossible_durations_are_no_duration():
    group = summarise([recovery(None)] * 20, COMPLETE)
    assert (group.count, group.mttr_seconds, group.rmst_seconds, group.under_target_ratio) == (20, None, None, None)
    assert "no incidents" not in group.notes


def test_an_ending_without_a_word_has_a_count_of_its_own_and_a_note():
    group = summarise([recovery(4, UNKNOWN), recovery(2)], COMPLETE)
    assert (group.by_resolution.unknown.count, group.by_resolution.unknown.mttr_seconds) == (1, 4)
    assert (group.by_resolution.spontaneous.count, group.auto_heal_ratio) == (0, 0.5)
    assert any("1 ended in a way that is not known" in note for note in group.notes)


def test_a_record_that_contradicts_itself_is_noted():
    group = summarise([Recovery(seconds=4, contradictory=True)], COMPLETE)
    assert any("1 are open and say how they ended" in note for note in group.notes)


def test_without_any_variance_nothing_says_how_sure_a_number_is():
    for seconds in (2.1, 0.0):
        group = summarise([recovery(seconds)] * 20, COMPLETE)
        part = group.by_resolution.auto
        assert {group.mttr_interval, group.geometric_mean_interval, group.rmst_interval, part.mttr_interval} == {None}
        assert group.minimum_detectable_ratio is None
        assert any("equally long" in note for note in group.notes)


def test_clocks_that_are_off_are_noted():
    assert any("3 agents have a clock" in note for note in summarise([], coverage([], 0, clocks_off=3)).notes)


@given(recoveries, recoveries)
def test_the_numbers_of_two_groups_together_are_those_of_all_their_incidents(one, other):
    apart = Recoveries.together([Recoveries.of(one), Recoveries.of(other)])
    assert stats.summarise(apart, COMPLETE) == summarise([*one, *other], COMPLETE)
