"""What cannot be told is refused, but for taking back what was allowed some moments ago."""

import threading
from typing import Any

import pytest
from tests.agent.executor.fakes import ALLOWED, DOWN, MTU, STACKS, UP, Stage

from guardian_agent.executor import judge as judge_module
from guardian_agent.executor.judge import Judge


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


@pytest.fixture
def judge(stage):
    return Judge(stage.policies)


async def test_what_the_rules_allow_is_allowed(judge):
    assert await judge.refusal(ALLOWED, None) == ""
    assert await judge.refusal(DOWN, UP) == ""
    assert await judge.refusal(DOWN, MTU) == "taking it back: that is something else than taking it back"
    assert await judge.refusal_to_tell(STACKS) == ""
    assert await judge.halted() == ""
    assert await judge.refusal_to_take_back(UP) == ""


async def test_a_rule_that_fails_allows_nothing(judge, monkeypatch):
    def fails(*_: Any) -> str:
        raise KeyError("oh")

    monkeypatch.setattr(judge_module, "refusal", fails)
    assert await judge.refusal(ALLOWED, None) == "the rule failed: KeyError"
    assert await judge.refusal_to_take_back(UP) == "the rule failed: KeyError"


async def test_a_configuration_whose_reading_fails_in_any_way_allows_nothing_new(stage, judge):
    def fails() -> Any:
        raise RecursionError("oh")

    stage.policies._read = fails
    assert await judge.refusal(ALLOWED, None) == "what is allowed cannot be told: RecursionError"
    assert await judge.refusal_to_take_back(UP) == ""


async def test_what_takes_too_long_is_refused_and_what_is_armed_is_not_kept_waiting(stage, judge, monkeypatch):
    monkeypatch.setattr(judge_module, "LIMIT_S", 0.05)
    monkeypatch.setattr(judge_module, "UNDO_LIMIT_S", 0.05)
    hang = threading.Event()
    real = stage.policies._read
    stage.policies._read = lambda: (hang.wait(), real())[1]
    try:
        assert await judge.refusal(ALLOWED, None) == "what is allowed could not be read within 0.05 s"
        assert await judge.refusal_to_take_back(UP) == ""
    finally:
        hang.set()


async def test_a_rule_that_takes_too_long_refuses(judge, monkeypatch):
    monkeypatch.setattr(judge_module, "LIMIT_S", 0.05)
    hang = threading.Event()
    monkeypatch.setattr(judge_module, "refusal", lambda *_: str(hang.wait()))
    try:
        assert await judge.refusal(ALLOWED, None) == "whether it is allowed could not be told within 0.05 s"
    finally:
        hang.set()
