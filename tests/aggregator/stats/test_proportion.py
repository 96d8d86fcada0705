import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from guardian_aggregator.stats.proportion import ratio, wilson

counts = st.integers(200, 10_000).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole)))


@given(counts)
def test_wilsons_interval_is_scipys(part_of_whole):
    part, whole = part_of_whole
    expected = scipy.stats.binomtest(part, whole).proportion_ci(0.9, method="wilson")
    interval = wilson(part, whole)
    assert interval.low == pytest.approx(expected.low, abs=1e-9)
    assert interval.high == pytest.approx(expected.high, abs=1e-9)


@given(counts)
def test_the_interval_holds_the_ratio_and_stays_a_ratio(part_of_whole):
    part, whole = part_of_whole
    interval = wilson(part, whole)
    assert 0 <= interval.low <= ratio(part, whole) + 1e-12
    assert ratio(part, whole) - 1e-12 <= interval.high <= 1


def test_nothing_has_no_ratio_and_199_no_interval():
    assert ratio(0, 0) is None
    assert wilson(75, 199) is None


@pytest.mark.parametrize("whole", [200, 201, 217, 250, 300, 1000])
def test_nine_intervals_in_ten_hold_the_truth_for_every_ratio_from_5_to_95_percent(whole):
    parts = np.arange(whole + 1)
    intervals = [wilson(int(part), whole) for part in parts]
    low = np.array([interval.low for interval in intervals])
    high = np.array([interval.high for interval in intervals])
    truths = np.linspace(0.05, 0.95, 901)[:, None]
    covered = (scipy.stats.binom.pmf(parts, whole, truths) * ((low <= truths) & (truths <= high))).sum(axis=1)
    assert covered.min() >= 0.87
    assert covered.max() <= 0.93
