"""The benchmark's arithmetic."""

import math

import pytest
from tests.bench.numbers import Answer, Recovery, Summary, most_that_often, ratio, recovery, table, times


def test_a_recovery_goes_from_the_fault_to_the_end_of_the_first_good_answer() -> None:
    answers = [Answer(9.99, 9.992, 200), Answer(10.01, 10.011, 0), Answer(10.02, 10.021, 0), Answer(10.03, 10.034, 200)]
    assert recovery(answers, 10.0).seconds == pytest.approx(0.034)


def test_an_answer_of_the_breaking_server_is_no_recovery() -> None:
    under_way, too_early = Answer(9.999, 10.002, 200), Answer(10.0001, 10.001, 200)
    answers = [under_way, too_early, Answer(10.005, 10.006, 0), Answer(10.05, 10.051, 200)]
    assert recovery(answers, 10.0).seconds == pytest.approx(0.051)


def test_answers_may_come_in_another_order_than_they_were_asked_for() -> None:
    hung, refused, good = Answer(10.001, 10.251, 0), Answer(10.2, 10.201, 0), Answer(10.21, 10.212, 200)
    assert recovery([refused, good, hung], 10.0).seconds == pytest.approx(0.212)


def test_a_bad_status_is_not_good() -> None:
    answers = [Answer(10.001, 10.002, 0), Answer(10.006, 10.007, 502), Answer(10.011, 10.012, 200)]
    assert recovery(answers, 10.0).seconds == pytest.approx(0.012)


def test_what_does_not_come_back_is_infinite() -> None:
    assert not recovery([Answer(9.9, 9.91, 200), Answer(10.1, 10.2, 0)], 10.0).recovered
    assert not recovery([], 10.0).recovered


def test_a_bad_answer_after_the_first_good_one_is_a_relapse() -> None:
    healed = [Answer(10.01, 10.011, 0), Answer(10.02, 10.021, 200)]
    assert not recovery(healed, 10.0).relapsed
    assert recovery([*healed, Answer(10.5, 10.6, 0)], 10.0).relapsed


def test_rounds_that_did_not_recover_count() -> None:
    summary = Summary.of([Recovery(1.0, 0.03), Recovery(2.0, math.inf), Recovery(3.0, math.inf)])
    assert (summary.rounds, summary.recovered, summary.minimum) == (3, 1, 0.03)
    assert math.isinf(summary.median)
    assert math.isinf(summary.maximum)
    with pytest.raises(ValueError, match="no round"):
        Summary.of([])


def test_a_ratio_that_says_nothing_is_none() -> None:
    assert ratio(0.03, 0.02) == pytest.approx(1.5)
    assert ratio(math.inf, 1.0) == math.inf
    assert ratio(1.0, math.inf) is None
    assert ratio(1.0, 0.0) is None
    assert [times(value) for value in (1.234, 17.94, 613.2, math.inf, None)] == ["1.23x", "17.9x", "613x", "∞", "-"]


def test_of_what_never_came_the_bound_is_three_over_what_was_looked_at() -> None:
    assert most_that_often(0, 1.0) == pytest.approx(-math.log(0.05))
    assert most_that_often(0, 6.0) == pytest.approx(0.5, rel=0.01)
    with pytest.raises(ValueError, match="nothing was looked at"):
        most_that_often(0, 0.0)


def test_the_bound_of_what_came_is_that_of_the_tables() -> None:
    assert most_that_often(1, 1.0) == pytest.approx(4.744, abs=0.001)
    assert most_that_often(10, 2.0) == pytest.approx(16.962 / 2, abs=0.001)
    assert most_that_often(200, 1.0) == pytest.approx(225.4, abs=1.0)


def test_a_table_is_aligned() -> None:
    assert table(["who", "ms"], [["a", "1"], ["bcde", "100"]]) == (
        "| who  |  ms |\n| ---- | --: |\n| a    |   1 |\n| bcde | 100 |"
    )
