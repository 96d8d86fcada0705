"""Waits are random, bounded, never shorter than wished, and there is always a next one."""

from hypothesis import given
from hypothesis import strategies as st

from guardian_agent.uplink.pace import Backoff, Pace


@given(failures=st.integers(0, 5000))
def test_a_wait_is_below_its_doubled_bound_and_the_cap(failures: int) -> None:
    pace = Pace(first_s=0.5, cap_s=30.0)
    backoff = Backoff(pace)
    waits = [backoff.next_wait_s() for _ in range(failures + 1)]
    assert 0 <= waits[-1] <= min(30.0, 0.5 * 2.0 ** min(failures, 60))


def test_waits_are_spread_over_the_whole_range() -> None:
    waits = []
    for _ in range(500):
        backoff = Backoff(Pace(first_s=8.0))
        waits.append(backoff.next_wait_s())
    assert min(waits) < 1.0
    assert max(waits) > 7.0


def test_success_begins_anew() -> None:
    backoff = Backoff(Pace(first_s=0.1, cap_s=1000.0))
    for _ in range(12):
        backoff.next_wait_s()
    backoff.succeeded()
    assert backoff.next_wait_s() <= 0.1


def test_the_aggregators_wish_is_a_lower_bound() -> None:
    backoff = Backoff(Pace(first_s=0.1))
    backoff.at_least_s = 3.0
    assert backoff.next_wait_s() == 3.0


def test_a_refusal_is_waited_for_long() -> None:
    assert 150.0 <= Backoff(Pace(refused_s=300.0)).next_wait_s(refused=True) <= 300.0
