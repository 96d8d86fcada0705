import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_aggregator.durations import BUCKET_PARTS, LOG_PARTS, LONGEST_S, SHORTEST_S, TARGET_S, counted, middle

durations = st.floats(SHORTEST_S, LONGEST_S)


@given(durations)
def test_a_bucket_and_the_distance_from_its_middle_are_the_logarithm(seconds):
    it = counted(seconds)
    assert (middle(it.bucket) + it.log_offset) / LOG_PARTS == pytest.approx(math.log(seconds), abs=1 / LOG_PARTS)
    assert -BUCKET_PARTS // 2 <= it.log_offset < BUCKET_PARTS // 2 + 1


@given(durations, durations)
def test_what_shares_a_bucket_is_within_one_per_cent(one, other):
    if counted(one).bucket == counted(other).bucket:
        assert abs(one - other) <= 0.01 * min(one, other)


@given(durations, durations)
def test_buckets_are_in_the_order_of_the_durations(one, other):
    assert (counted(one).bucket <= counted(other).bucket) or one > other


def test_what_is_nothing_or_beyond_all_measure_has_a_place_too():
    assert counted(0.0)._replace(micros=0) == counted(SHORTEST_S)._replace(micros=0)
    assert counted(1e300) == counted(LONGEST_S)


def test_the_target_itself_is_quick_and_nothing_longer():
    assert counted(TARGET_S).is_quick and not counted(TARGET_S + 1e-6).is_quick


def test_a_microsecond_is_the_least_that_is_told_apart():
    assert [counted(each).micros for each in (1e-6, 1.4e-6, 2.0)] == [1, 1, 2_000_000]
