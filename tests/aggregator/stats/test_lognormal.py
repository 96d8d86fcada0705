import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from guardian_aggregator.stats import lognormal
from guardian_aggregator.stats.durations import Durations


def of_durations(publish):
    return lambda seconds: publish(Durations.of(seconds))


geometric_mean_interval, mean_interval, minimum_detectable_ratio = map(
    of_durations, (lognormal.geometric_mean_interval, lognormal.mean_interval, lognormal.minimum_detectable_ratio)
)

seconds = st.floats(0.001, 100_000)
samples = st.lists(seconds, min_size=10).filter(lambda durations: max(durations) > 1.001 * max(min(durations), 0.1))


@given(samples)
def test_the_interval_of_the_geometric_mean_is_students_on_the_logarithms(durations):
    logs = np.log(durations)
    spread = scipy.stats.sem(logs)
    interval = geometric_mean_interval(durations)
    half = scipy.stats.t.ppf(0.95, len(logs) - 1) * spread
    assert np.log(interval.low) == pytest.approx(logs.mean() - half, abs=1e-3 * (1 + spread))
    assert np.log(interval.high) == pytest.approx(logs.mean() + half, abs=1e-3 * (1 + spread))


@given(samples)
def test_coxs_interval_lies_around_the_log_normal_mean(durations):
    logs = np.log(durations)
    interval = mean_interval(durations)
    centre = logs.mean() + logs.var(ddof=1) / 2
    assert (np.log(interval.low) + np.log(interval.high)) / 2 == pytest.approx(centre, abs=1e-6)


def test_coxs_interval_worked_by_hand_for_forty_with_mean_log_1_963_and_variance_1_1():
    # t(0.95, 39) = 1.68488; the half-width is t * sqrt(1.1/40 + 1.1^2/78)
    logs = np.linspace(-1, 1, 40)
    logs = 1.963 + (logs - logs.mean()) / logs.std(ddof=1) * np.sqrt(1.1)
    half = 1.68488 * np.sqrt(1.1 / 40 + 1.1**2 / 78)
    interval = mean_interval(np.exp(logs))
    assert interval.low == pytest.approx(np.exp(1.963 + 0.55 - half), rel=1e-4)
    assert interval.high == pytest.approx(np.exp(1.963 + 0.55 + half), rel=1e-4)


@pytest.mark.parametrize("publish", [mean_interval, geometric_mean_interval, minimum_detectable_ratio])
def test_nine_incidents_are_too_few(publish):
    assert publish([1.0, 2.0, 3.0] * 3) is None
    assert publish([1.0, 2.0, 3.0] * 4) is not None


@pytest.mark.parametrize("sigma", [0.5, 1.25])
@pytest.mark.parametrize("n", [10, 20, 50, 200])
def test_nine_intervals_in_ten_hold_the_truth(n, sigma):
    generator = np.random.default_rng([n, int(sigma * 100)])
    runs = 2000
    samples = np.exp(generator.normal(3.0, sigma, (runs, n)))
    means = [mean_interval(sample) for sample in samples]
    geometric = [geometric_mean_interval(sample) for sample in samples]
    assert 0.87 <= np.mean([each.low <= np.exp(3.0 + sigma**2 / 2) <= each.high for each in means]) <= 0.93
    assert 0.87 <= np.mean([each.low <= np.exp(3.0) <= each.high for each in geometric]) <= 0.93


@pytest.mark.parametrize(("n", "factor"), [(21, 2.0), (62, 1.5), (303, 1.2), (1106, 1.1)])
def test_the_sample_sizes_known_for_a_log_deviation_of_0_8(n, factor):
    logs = np.linspace(-1, 1, n)
    logs = (logs - logs.mean()) / logs.std(ddof=1) * 0.8
    assert minimum_detectable_ratio(np.exp(logs + 5)) == pytest.approx(factor, rel=0.005)


@given(samples, st.integers(2, 5))
def test_more_incidents_never_hide_a_change_that_fewer_would_show(durations, times):
    assert minimum_detectable_ratio(durations * times) <= minimum_detectable_ratio(durations) + 1e-9


@given(samples, st.floats(0.01, 100))
def test_the_unit_of_time_does_not_change_the_detectable_ratio(durations, factor):
    longer = [max(each, 0.1) * factor for each in durations]
    same = [max(each, 0.1) for each in durations]
    assert minimum_detectable_ratio(longer) == pytest.approx(minimum_detectable_ratio(same))


def test_durations_beyond_all_measure_still_give_numbers():
    interval = mean_interval([1.0] * 11 + [1e300])
    assert 0 < interval.low <= interval.high < float("inf")
