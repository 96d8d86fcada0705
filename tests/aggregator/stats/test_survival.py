import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.utils import restricted_mean_survival_time

from guardian_aggregator.stats.survival import (
    LONGEST_HORIZON_S,
    horizon,
    kaplan_meier,
    restricted_mean,
    restricted_mean_interval,
)

seconds = st.floats(0.01, 10_000, allow_nan=False).map(lambda value: round(value, 2))
samples = st.lists(st.tuples(seconds, st.booleans()), min_size=1, max_size=40)


def split(sample):
    return [each for each, _ in sample], [closed for _, closed in sample]


@given(samples)
def test_the_curve_is_scipys(sample):
    durations, closed = split(sample)
    data = scipy.stats.CensoredData.right_censored(durations, [not each for each in closed])
    expected = scipy.stats.ecdf(data).sf
    curve = kaplan_meier(durations, closed)
    assert curve.times == pytest.approx(expected.quantiles)
    assert curve.still_down == pytest.approx(expected.probabilities)


@given(samples, st.floats(1, 20_000))
def test_the_restricted_mean_is_lifelines(sample, until):
    durations, closed = split(sample)
    fitted = KaplanMeierFitter().fit(durations, closed)
    assert restricted_mean(kaplan_meier(durations, closed), until).seconds == pytest.approx(
        restricted_mean_survival_time(fitted, t=until), rel=1e-9
    )


@given(st.lists(seconds, min_size=1, max_size=40))
def test_without_open_incidents_it_is_the_plain_mean_and_its_variance(durations):
    mean = restricted_mean(kaplan_meier(durations, [True] * len(durations)), max(durations))
    assert mean.seconds == pytest.approx(np.mean(durations))
    assert mean.variance == pytest.approx(np.var(durations) / len(durations), abs=1e-6)


@given(samples)
def test_many_of_one_duration_are_as_many_alike(sample):
    durations, closed = split(sample)
    curve = kaplan_meier(durations * 3, closed * 3)
    counted = kaplan_meier(durations, closed, [3] * len(durations))
    assert restricted_mean(counted, 100.0).variance == pytest.approx(restricted_mean(curve, 100.0).variance)
    assert counted.still_down == pytest.approx(curve.still_down)


def test_a_worked_example_by_hand():
    # 1 recovered, 2 open since, 3 recovered, 4 open since: S = 3/4 from 1, 3/8 from 3; area to 4 = 1 + 1.5 + 0.375.
    mean = restricted_mean(kaplan_meier([1, 2, 3, 4], [True, False, True, False]), 4)
    assert mean.seconds == pytest.approx(2.875)
    # Greenwood: (area right of 1)^2 * 1/(4*3) + (area right of 3)^2 * 1/(2*1)
    assert mean.variance == pytest.approx(1.875**2 / 12 + 0.375**2 / 2)


@given(samples)
def test_counting_open_incidents_never_makes_the_mean_shorter(sample):
    durations, closed = split(sample)
    as_if_closed = restricted_mean(kaplan_meier(durations, [True] * len(durations)), max(durations))
    assert restricted_mean(kaplan_meier(durations, closed), max(durations)).seconds >= as_if_closed.seconds - 1e-6


@given(samples, st.floats(1, 10_000), st.floats(0, 10_000))
def test_a_further_horizon_never_makes_the_mean_shorter(sample, near, more):
    curve = kaplan_meier(*split(sample))
    assert restricted_mean(curve, near).seconds <= restricted_mean(curve, near + more).seconds + 1e-6


@given(samples)
def test_the_horizon_is_the_longest_time_seen_and_a_day_at_most(sample):
    durations, closed = split(sample)
    assert horizon(kaplan_meier(durations, closed)) == max(durations)
    assert horizon(kaplan_meier([each + 100_000 for each in durations], closed)) == LONGEST_HORIZON_S


@given(samples)
def test_the_interval_holds_the_mean_and_stays_below_the_horizon(sample):
    durations, closed = split(sample)
    curve = kaplan_meier(durations, closed)
    mean = restricted_mean(curve, horizon(curve))
    interval = restricted_mean_interval(mean, sum(closed))
    if interval is not None:
        assert 0 < interval.low <= mean.seconds <= interval.high <= mean.horizon_s + 1e-6


def test_with_nine_closed_there_is_no_interval():
    mean = restricted_mean(kaplan_meier(range(1, 11), [True] * 9 + [False]), 10)
    assert restricted_mean_interval(mean, 9) is None
    assert restricted_mean_interval(mean, 10) is not None


def test_durations_all_alike_have_no_interval():
    mean = restricted_mean(kaplan_meier([7.0] * 20, [True] * 20), 7.0)
    assert restricted_mean_interval(mean, 20) is None


def true_restricted_mean(mu, sigma, until):
    z = (np.log(until) - mu) / sigma
    body = np.exp(mu + sigma**2 / 2) * scipy.stats.norm.cdf(z - sigma)
    return body + until * scipy.stats.norm.sf(z)


@pytest.mark.parametrize("sigma", [0.5, 1.25])
@pytest.mark.parametrize(("n", "still_open"), [(10, 0), *((n, part) for n in (20, 50, 200) for part in (0, 0.1, 0.3))])
def test_nine_intervals_in_ten_hold_the_truth(n, sigma, still_open):
    generator = np.random.default_rng([n, int(sigma * 100), int(still_open * 100)])
    mu, runs, published, held = np.log(30), 1200, 0, 0
    for _ in range(runs):
        recovery = np.exp(generator.normal(mu, sigma, n))
        last_look = np.full(n, np.inf)
        if still_open:
            shift = -scipy.stats.norm.ppf(still_open) * np.sqrt(sigma**2 + 1)
            last_look = np.exp(generator.normal(mu + shift, 1, n))
        closed = recovery <= last_look
        curve = kaplan_meier(np.minimum(recovery, last_look), closed)
        until = float(curve.times[-1])
        interval = restricted_mean_interval(restricted_mean(curve, until), int(closed.sum()))
        if interval is None:
            continue  # fewer than ten closed: nothing is claimed
        published += 1
        held += interval.low <= true_restricted_mean(mu, sigma, until) <= interval.high
    assert published > 0.9 * runs
    assert 0.87 <= held / published <= 0.93
