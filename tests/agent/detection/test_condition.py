import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.detection.stamps import at

from guardian_agent.detection.condition import Change, Condition
from guardian_agent.detection.flaps import LONGEST_S, Flaps
from guardian_agent.model import ConditionState, Reading

GOOD, BAD = Reading(ok=True), Reading(ok=False)
OK, FAILING, UNKNOWN = ConditionState.OK, ConditionState.FAILING, ConditionState.UNKNOWN
counts = st.integers(1, 4)
looks = st.lists(st.booleans(), max_size=40)


def feed(condition: Condition, oks: list[bool]) -> list[tuple[int, ConditionState]]:
    """Each change with the number of the look that brought it."""
    changes = []
    for number, ok in enumerate(oks):
        if change := condition.observe(GOOD if ok else BAD, at(number)):
            changes.append((number, change.to_state))
    return changes


@given(counts, counts, looks)
def test_the_state_is_that_of_the_last_streak_long_enough_to_decide(fall: int, rise: int, oks: list[bool]) -> None:
    condition = Condition(fall, rise)
    feed(condition, oks)
    expected = UNKNOWN
    for number in range(len(oks)):
        upto = oks[: number + 1]
        if upto[-rise:] == [True] * rise:
            expected = OK
        elif upto[-fall:] == [False] * fall:
            expected = FAILING
    assert condition.state == expected


@given(counts, counts, looks)
def test_every_change_says_when_its_streak_began(fall: int, rise: int, oks: list[bool]) -> None:
    condition = Condition(fall, rise)
    for number, ok in enumerate(oks):
        before = condition.state
        change = condition.observe(GOOD if ok else BAD, at(number))
        if change is None:
            assert condition.state == before
            continue
        begun = number
        while begun and oks[begun - 1] == ok:
            begun -= 1
        assert (change.from_state, change.to_state, change.since) == (before, OK if ok else FAILING, at(begun))


@given(counts, counts, looks)
def test_it_is_undecided_exactly_while_the_last_look_contradicts_the_state(
    fall: int, rise: int, oks: list[bool]
) -> None:
    condition = Condition(fall, rise)
    feed(condition, oks)
    wanted = UNKNOWN if not oks else OK if oks[-1] else FAILING
    assert condition.undecided == (bool(oks) and condition.state != wanted)
    assert condition.looks_bad == (bool(oks) and not oks[-1])


@given(counts, st.integers(0, 10))
def test_looks_that_may_not_fail_decide_nothing_and_are_counted_when_they_may(fall: int, quiet: int) -> None:
    condition = Condition(fall, 1)
    condition.observe(GOOD, at(0))
    for number in range(quiet):
        assert condition.observe(BAD, at(1 + number), may_fail=False) is None
    changes = [condition.observe(BAD, at(100 + number)) for number in range(fall)]
    change = next(change for change in changes if change)
    assert changes.index(change) == max(0, fall - quiet - 1)
    assert change.since == (at(1) if quiet else at(100))


@given(counts, looks)
def test_what_was_failing_before_the_restart_is_so_until_enough_good_looks(rise: int, oks: list[bool]) -> None:
    condition = Condition(2, rise)
    condition.restore_failing()
    changes = feed(condition, oks)
    assert not changes or changes[0][1] == OK
    assert (condition.state == OK) == bool(changes and changes[-1][1] == OK)


def test_it_remembers_when_and_how_it_was_last_good() -> None:
    condition = Condition(2, 2)
    good = Reading(ok=True, evidence={"restarts": 3})
    condition.observe(good, at(1))
    condition.observe(BAD, at(2))
    assert (condition.last_good_at, condition.last_good_reading, condition.last_reading) == (at(1), good, BAD)


def test_what_is_forgotten_neither_decides_nor_dates_anything_later() -> None:
    condition = Condition(2, 2)
    feed(condition, [False, False, False])
    condition.forget()
    assert condition.state == UNKNOWN and not condition.undecided
    assert condition.observe(BAD, at(100)) is None
    change = condition.observe(BAD, at(101))
    assert change and change.since == at(100)


def falls(changes: list[tuple[int, ConditionState]]) -> int:
    """How often it went from good into failing."""
    states = [state for _, state in changes]
    return sum(before == OK and after == FAILING for before, after in itertools.pairwise(states))


@given(looks)
def test_the_first_two_falls_change_nothing_about_what_counts(oks: list[bool]) -> None:
    changes = feed(Condition(2, 2), oks)
    while falls(changes) > 2:
        oks.pop()
        changes = feed(Condition(2, 2), oks)
    assert feed(Condition(2, 2, Flaps()), oks) == changes


def fallen(times: int) -> tuple[Condition, float]:
    """A condition that was good for a moment and fell, so often; and when the last look of that was."""
    condition, now = Condition(2, 2, Flaps()), 0.0
    for ok in [True, True, False, False] * times:
        condition.observe(GOOD if ok else BAD, at(now := now + 0.1))
    return condition, now


def good_for(condition: Condition, now: float) -> tuple[float, Change]:
    """For how long it is good before it is ok, looked at each quarter of a second; and that change."""
    began = now + 0.25
    while (change := condition.observe(GOOD, at(now := now + 0.25))) is None:
        assert now - began < 2 * LONGEST_S
    return now - began, change


@pytest.mark.parametrize(
    ("times", "seconds"), [(1, 0.25), (2, 0.25), (3, 2.0), (4, 4.0), (5, 8.0), (6, 16.0), (20, 60)]
)
def test_what_fell_often_must_stay_good_for_some_time(times: int, seconds: float) -> None:
    condition, now = fallen(times)
    assert good_for(condition, now)[0] == pytest.approx(seconds, rel=0.05, abs=0.25)


def test_on_probation_it_is_good_by_its_looks_and_not_yet_ok() -> None:
    condition, now = fallen(4)
    condition.observe(GOOD, at(now + 1.0))
    assert not condition.on_probation and not condition.turned_good
    condition.observe(GOOD, at(now + 1.5))
    assert condition.on_probation and condition.turned_good and not condition.undecided
    assert (condition.state, condition.decided) == (FAILING, OK)
    assert condition.probation_left_s == pytest.approx(3.5, abs=0.1)
    change = good_for(condition, now + 1.5)[1]
    assert (change.from_state, change.to_state, change.since) == (FAILING, OK, at(now + 1.0))
    assert not condition.on_probation and condition.probation_left_s == 0.0


def test_one_bad_look_begins_the_probation_anew_and_is_no_fall() -> None:
    condition, now = fallen(4)
    for ok in (True, True, True, False):
        assert condition.observe(GOOD if ok else BAD, at(now := now + 1.0)) is None
    assert condition.undecided and condition.decided == OK and condition.state == FAILING
    assert good_for(condition, now)[0] == pytest.approx(4.0, abs=0.3)


def test_a_fall_out_of_probation_is_a_fall_and_no_change() -> None:
    condition, now = fallen(4)
    for ok in (True, True, True, False, False):
        assert condition.observe(GOOD if ok else BAD, at(now := now + 0.5)) is None
    assert condition.decided == FAILING and not condition.on_probation
    assert good_for(condition, now)[0] == pytest.approx(8.0, abs=0.3)


def test_what_is_forgotten_or_was_so_before_the_restart_has_never_fallen() -> None:
    for begin_anew in (Condition.forget, Condition.restore_failing):
        condition, now = fallen(1)
        begin_anew(condition)
        assert good_for(condition, now)[0] == 0.25
    condition, now = fallen(10)
    condition.forget()
    assert good_for(condition, now)[0] == 0.25


@given(looks)
def test_a_probation_never_ends_before_the_streak_is_long_enough(oks: list[bool]) -> None:
    for number, state in feed(Condition(2, 3, Flaps()), oks):
        assert state != OK or oks[number - 2 : number + 1] == [True] * 3
