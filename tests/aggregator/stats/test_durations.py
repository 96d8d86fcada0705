import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from guardian_aggregator.stats.durations import Durations

seconds = st.floats(0.001, 100_000)
some = st.lists(seconds, min_size=1, max_size=50)


@given(some)
def test_count_and_sum_are_exact_to_the_microsecond(durations):
    times = Durations.of(durations)
    assert len(times) == len(durations)
    assert times.mean * len(times) == pytest.approx(sum(round(each * 1e6) for each in durations) / 1e6)


@given(some)
def test_the_geometric_mean_is_scipys(durations):
    assert Durations.of(durations).geometric_mean == pytest.approx(scipy.stats.gmean(durations))


@given(st.lists(seconds, min_size=2, max_size=50))
def test_the_variance_of_the_logarithms_is_numpys(durations):
    expected = np.var(np.log(durations), ddof=1)
    assert Durations.of(durations).log_variance == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(some, some)
def test_two_halves_together_are_the_whole(one, other):
    halves = Durations.together([Durations.of(one), Durations.of(other)])
    whole = Durations.of([*one, *other])
    assert (halves.buckets == whole.buckets).all() and (halves.numbers == whole.numbers).all()


def test_nothing_has_no_mean():
    assert (Durations.of([]).mean, Durations.of([]).geometric_mean, len(Durations.of([]))) == (None, None, 0)


def test_a_recovery_in_no_time_counts_as_a_millisecond():
    assert Durations.of([0.0, 1000.0]).geometric_mean == pytest.approx(1.0)


def test_what_is_within_the_target_is_quick():
    assert Durations.of([1, 120, 120.001, 500]).quick == 2


@pytest.mark.parametrize(("durations", "alike"), [([], True), ([2.1] * 9, True), ([2.1, 2.11], False), ([1, 2], False)])
def test_all_alike_is_told_from_nearly_alike(durations, alike):
    assert Durations.of(durations).alike is alike
