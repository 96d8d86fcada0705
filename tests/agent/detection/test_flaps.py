import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.detection.stamps import at

from guardian_agent.detection.flaps import CEILING, LONGEST_S, SHORTEST_S, Flaps

pauses = st.lists(st.floats(0.0, 2000.0), max_size=30)
waits = st.floats(0.0, 5000.0)


def fallen(pauses_s: list[float]) -> tuple[Flaps, float]:
    """Falls with these pauses before each; and when the last one was."""
    flaps, now_s = Flaps(), 0.0
    for pause_s in pauses_s:
        now_s += pause_s
        flaps.fell(at(now_s))
    return flaps, now_s


@pytest.mark.parametrize(
    ("falls", "steady_s"), [(0, 0), (1, 0), (2, 0), (3, 2), (4, 4), (5, 8), (6, 16), (7, 32), (8, 60), (100, 60)]
)
def test_the_first_two_falls_cost_nothing_and_each_further_one_doubles_the_price(falls: int, steady_s: float) -> None:
    flaps, now_s = fallen([0.01] * falls)
    assert flaps.steady_s(at(now_s)) == pytest.approx(steady_s, rel=0.001)


def test_three_falls_within_six_minutes_cost_two_seconds_and_in_ten_minutes_nothing() -> None:
    close, now_s = fallen([0.0, 180.0, 180.0])
    assert close.steady_s(at(now_s)) == pytest.approx(SHORTEST_S, rel=0.1)
    far, now_s = fallen([0.0, 300.0, 300.0])
    assert far.steady_s(at(now_s)) == 0.0


@given(pauses, waits)
def test_it_is_nothing_or_between_two_seconds_and_a_minute(pauses_s: list[float], wait_s: float) -> None:
    flaps, now_s = fallen(pauses_s)
    steady_s = flaps.steady_s(at(now_s + wait_s))
    assert steady_s == 0.0 or SHORTEST_S <= steady_s <= LONGEST_S
    assert 0.0 <= flaps.penalty(at(now_s + wait_s)) <= CEILING


@given(pauses, waits)
def test_a_fall_never_makes_it_shorter(pauses_s: list[float], wait_s: float) -> None:
    flaps, now_s = fallen(pauses_s)
    now = at(now_s + wait_s)
    before_s = flaps.steady_s(now)
    flaps.fell(now)
    assert flaps.steady_s(now) >= before_s


@given(pauses, waits, waits)
def test_time_never_makes_it_longer(pauses_s: list[float], wait_s: float, more_s: float) -> None:
    flaps, now_s = fallen(pauses_s)
    assert flaps.steady_s(at(now_s + wait_s + more_s)) <= flaps.steady_s(at(now_s + wait_s))


@given(pauses)
def test_after_seventeen_minutes_all_is_forgotten_and_the_next_fall_costs_nothing(pauses_s: list[float]) -> None:
    flaps, now_s = fallen(pauses_s)
    now_s += 17 * 60.0 + 10.0
    assert flaps.steady_s(at(now_s)) == 0.0
    flaps.fell(at(now_s))
    assert flaps.steady_s(at(now_s)) == 0.0


@given(st.integers(0, 30), st.floats(1.0, 100.0))
def test_falls_closer_together_cost_no_less(falls: int, pause_s: float) -> None:
    close, close_s = fallen([pause_s / 2] * falls)
    far, far_s = fallen([pause_s] * falls)
    assert close.steady_s(at(close_s)) >= far.steady_s(at(far_s))


def test_a_clock_that_goes_back_makes_nothing_grow() -> None:
    flaps, now_s = fallen([10.0, 10.0, 10.0])
    assert flaps.penalty(at(now_s - 5.0)) == flaps.penalty(at(now_s))
