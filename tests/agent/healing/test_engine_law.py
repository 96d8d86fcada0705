"""Whatever fails, hangs or half-works, and whenever the agent dies: the machine is healed, as before, or somebody is
called."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.agent.healing.toy import NEW, OLD, Fate, Story, Toy, play
from tests.agent.virtual_time import in_virtual_time

from guardian_agent.model import Execution, Outcome, StepState

FATES: tuple[Fate, ...] = ("works", "works", "works", "fails", "half", "hangs", "raises", "lies")
UNDO_FATES: tuple[Fate, ...] = ("works", "works", "fails", "half", "hangs", "raises")


@st.composite
def stories(draw: st.DrawFn) -> Story:
    steps = draw(st.lists(st.sampled_from(FATES), min_size=1, max_size=4))
    cures = st.frozensets(st.integers(0, len(steps) - 1), min_size=1)
    return Story(
        fates=tuple(steps),
        undo_fates=tuple(draw(st.lists(st.sampled_from(UNDO_FATES), max_size=3))),
        irreversible_last=draw(st.booleans()),
        cure=draw(st.none() | cures),
        blind_looks=draw(st.sampled_from([0, 0, 1, 10_000])),
        kills=tuple(draw(st.lists(st.integers(1, 25), max_size=3))),
        by_cancelling=draw(st.booleans()),
        tail_is_lost=draw(st.booleans()),
        halts=tuple(draw(st.lists(st.integers(1, 25), max_size=2))),
    )


def as_before(toy: Toy, machine: dict[int, str]) -> bool:
    """Every value is the old one, except what cannot be undone."""
    last = len(machine) - 1
    return all(value == OLD or (key == last and toy.story.irreversible_last) for key, value in machine.items())


def well(toy: Toy, machine: dict[int, str]) -> bool:
    return toy.story.cure is not None and all(machine[key] == NEW for key in toy.story.cure)


def judge(toy: Toy, execution: Execution, machine: dict[int, str]) -> None:
    match execution.outcome:
        case Outcome.HEALED:
            assert well(toy, machine)
        case Outcome.INTERRUPTED:
            assert well(toy, machine) or as_before(toy, machine)
        case Outcome.INEFFECTIVE | Outcome.ROLLED_BACK:
            assert as_before(toy, machine)
        case Outcome.SUPERSEDED:
            assert well(toy, machine) and all(step.state == StepState.PLANNED for step in execution.steps)
        case Outcome.INCONCLUSIVE:
            assert all(step.state == StepState.APPLIED for step in execution.steps)
        case Outcome.STUCK:
            assert "stuck" in toy.lives.pages and set(toy.lives.disabled) == {execution.playbook}
        case Outcome.DENIED:
            assert "stuck" in toy.lives.pages or toy.story.halts
        case _:
            raise AssertionError(execution.outcome)


def story(*steps: Fate, **changes: object) -> Story:
    plain: dict[str, object] = {
        "undo_fates": (),
        "irreversible_last": False,
        "cure": frozenset(range(len(steps))),
        "blind_looks": 0,
        "kills": (),
        "by_cancelling": False,
        "tail_is_lost": False,
    }
    return Story(fates=steps, **(plain | changes))  # type: ignore[arg-type]


@settings(max_examples=400, deadline=None)
@given(stories())
@example(story("works", "fails", undo_fates=("works", "fails"), kills=(13,)))
def test_the_machine_is_healed_or_as_before_or_somebody_is_called(told: Story) -> None:
    toy = in_virtual_time(play(told))
    for execution, machine in toy.lives.ends:
        judge(toy, execution, machine)
        assert execution.reason and execution.finished_at


@pytest.mark.parametrize("tail_is_lost", [False, True])
@pytest.mark.parametrize("kill", range(1, 25))
def test_wherever_a_good_remedy_is_killed_it_is_kept_whole_or_not_at_all(kill: int, tail_is_lost: bool) -> None:
    toy = in_virtual_time(play(story("works", "works", "works", kills=(kill,), tail_is_lost=tail_is_lost)))
    ((execution, machine),) = toy.lives.ends
    judge(toy, execution, machine)
    assert execution.outcome in (Outcome.HEALED, Outcome.INTERRUPTED)


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (story("works", "works"), Outcome.HEALED),
        (story("works", cure=None), Outcome.INEFFECTIVE),
        (story("works", "lies"), Outcome.INEFFECTIVE),
        (story("works", "half"), Outcome.ROLLED_BACK),
        (story("works", "hangs"), Outcome.ROLLED_BACK),
        (story("works", "raises"), Outcome.ROLLED_BACK),
        (story("works", "fails", undo_fates=("works", "fails")), Outcome.STUCK),
        (story("works", "fails", undo_fates=("hangs",)), Outcome.STUCK),
        (story("works", "fails", undo_fates=("raises",)), Outcome.STUCK),
        (story("works", blind_looks=10_000), Outcome.INCONCLUSIVE),
        (story("works", "works", kills=(6,)), Outcome.INTERRUPTED),
        (story("works", cure=None, halts=(3,)), Outcome.INTERRUPTED),
        (story("works", "works", "fails", halts=(8,)), Outcome.INTERRUPTED),
    ],
)
def test_each_way_to_end_has_its_name(told: Story, outcome: Outcome) -> None:
    toy = in_virtual_time(play(told))
    ((execution, machine),) = toy.lives.ends
    judge(toy, execution, machine)
    assert execution.outcome == outcome
