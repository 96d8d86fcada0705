from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.detection.stamps import at

from guardian_agent.healing.brakes import HOUR_S, Actions, Brakes

NOWHERE = Path("/nowhere/hold")


def brakes(per_hour: int = 2, hold_file: Path = NOWHERE) -> tuple[Brakes, list[Actions]]:
    kept: list[Actions] = []
    return Brakes(per_hour, hold_file, kept.append), kept


@given(st.integers(0, 5), st.lists(st.integers(0, 4000), max_size=12))
def test_no_hour_ever_holds_more_actions_than_allowed(per_hour: int, gaps: list[int]) -> None:
    held, _ = brakes(per_hour)
    now_s, acted = 0, list[int]()
    for gap in gaps:
        now_s += gap
        if not held.refusal(at(now_s)):
            held.count(at(now_s))
            acted.append(now_s)
    for end in acted:
        assert len([moment for moment in acted if end - HOUR_S < moment <= end]) <= per_hour


def test_the_budget_comes_back_an_hour_after_each_action() -> None:
    held, _ = brakes()
    held.count(at(0))
    held.count(at(1800))
    assert held.refusal(at(1801)) == "2 actions within the last hour, and actions_per_hour is 2"
    assert held.refusal(at(HOUR_S - 1)) and not held.refusal(at(HOUR_S))


def test_a_restart_of_the_agent_gives_no_new_budget_and_old_actions_are_not_kept_for_ever() -> None:
    held, kept = brakes()
    for hour in range(10):
        held.count(at(hour * HOUR_S))
    assert [len(actions.at) for actions in kept] == [1] * 10
    held.count(at(9 * HOUR_S + 1))
    after, _ = brakes()
    after.restore(kept[-1])
    assert after.refusal(at(9 * HOUR_S + 2))
    after.restore(None)
    assert not after.refusal(at(9 * HOUR_S + 2))


def test_the_hold_file_stops_everything_while_it_is_there(tmp_path: Path) -> None:
    file = tmp_path / "hold"
    held, _ = brakes(hold_file=file)
    assert held.refusal(at(0)) == held.halted() == ""
    file.touch()
    assert held.refusal(at(0)) == held.halted() == f"the hold file {file} is there"
    file.unlink()
    assert held.halted() == ""


def test_a_hold_file_that_cannot_be_looked_for_counts_as_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "lstat", denied)
    held, _ = brakes()
    assert "cannot be looked for: Permission denied" in held.refusal(at(0))


def test_what_the_aggregator_forbids_is_not_done() -> None:
    held, _ = brakes()
    held.acting_allowed = False
    assert held.refusal(at(0)) == held.halted() == "the aggregator does not allow acting"


def test_a_budget_that_is_used_up_stops_no_undoing() -> None:
    held, _ = brakes(per_hour=0)
    assert held.refusal(at(0)) and not held.halted()
