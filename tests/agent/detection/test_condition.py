from hypothesis import given
from hypothesis import strategies as st
from tests.agent.detection.stamps import at

from guardian_agent.detection.condition import Condition
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
