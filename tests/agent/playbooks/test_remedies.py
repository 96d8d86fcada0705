"""Every playbook on a host that it mends, on one that it cannot mend, and killed at every moment of it."""

from typing import Any

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.lives import Lives
from tests.agent.playbooks.picture import picture
from tests.agent.playbooks.remedies import REMEDIES, Remedy
from tests.agent.virtual_time import in_virtual_time

from guardian_agent.model import Execution, Outcome, StepState, Tier
from guardian_agent.playbooks import PLAYBOOKS

every = pytest.mark.parametrize(
    "remedy", REMEDIES, ids=lambda remedy: f"{remedy.playbook.playbook_id()}-{remedy.issue_type}"
)
MOST_MOMENTS = 200


def played(remedy: Remedy, **story: Any) -> tuple[FakeHost, Lives, dict[str, Any]]:
    """The host and the lives after they are over, and what the broken host looked like."""

    async def run() -> tuple[FakeHost, Lives, dict[str, Any]]:
        before = picture(remedy.broken())
        host, lives = await remedy.play(**story)
        return host, lives, before

    return in_virtual_time(run())


def last(lives: Lives) -> Execution:
    return lives.ends[-1][0]


def without(shown: dict[str, Any], parts: tuple[str, ...]) -> dict[str, Any]:
    return {name: part for name, part in shown.items() if name not in parts}


def test_every_playbook_that_changes_something_is_here() -> None:
    acting = {playbook.playbook_id() for playbook in PLAYBOOKS if playbook.tier > Tier.OBSERVES}
    assert {remedy.playbook.playbook_id() for remedy in REMEDIES} == acting


@every
def test_it_mends_what_it_is_for(remedy: Remedy) -> None:
    host, lives, _ = played(remedy)
    assert last(lives).outcome == Outcome.HEALED, last(lives).reason
    assert {step.state for step in last(lives).steps} == {StepState.APPLIED}
    assert host.changes() and lives.pages == []


@every
def test_what_did_not_help_is_taken_back_and_says_so(remedy: Remedy) -> None:
    host, lives, before = played(remedy, mends=False)
    execution = last(lives)
    assert execution.outcome == Outcome.INEFFECTIVE
    assert without(picture(host), remedy.not_taken_back) == without(before, remedy.not_taken_back)
    for step in execution.steps:
        assert step.state == (StepState.APPLIED if step.undo is None else StepState.UNDONE)


@every
@pytest.mark.parametrize("mends", [True, False], ids=["good", "in vain"])
@pytest.mark.parametrize("tail_is_lost", [False, True], ids=["written", "lost"])
def test_killed_at_any_moment_the_host_is_healed_or_as_before(remedy: Remedy, mends: bool, tail_is_lost: bool) -> None:
    for moment in range(1, MOST_MOMENTS):
        _, lives, before = played(remedy, mends=mends, kills=(moment,), tail_is_lost=tail_is_lost)
        if lives.deaths == 0:
            break
        outcome = last(lives).outcome
        healed = outcome in (Outcome.HEALED, Outcome.INTERRUPTED, Outcome.SUPERSEDED) and mends
        same = without(lives.ends[-1][1], remedy.not_taken_back) == without(before, remedy.not_taken_back)
        assert healed or same, f"killed at {moment}: {outcome}: {last(lives).reason}"
        assert outcome != Outcome.STUCK
    else:
        raise AssertionError("it is never over")
    assert moment > len(last(lives).steps)


@every
def test_killed_at_every_other_moment_again_and_again_it_ends(remedy: Remedy) -> None:
    for moment in (3, 5, 8):
        _, lives, _ = played(remedy, kills=(moment, moment, moment))
        assert last(lives).outcome in (Outcome.HEALED, Outcome.INTERRUPTED, Outcome.SUPERSEDED)
