"""What holds for every family of operations and questions."""

import pytest
from tests.agent.executor.fakes import ALLOWED, CONFIG, STACKS, Stage, read_config

from guardian_agent.executor.policy import Policy
from guardian_agent.executor.rules import refusal, refusal_to_tell


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def test_what_is_allowed_is_allowed(stage):
    policy = Policy(read_config(stage.file), units=frozenset({"web.service"}))
    assert refusal(ALLOWED, policy) == ""
    assert refusal_to_tell(STACKS, policy) == ""


def test_the_mode_observe_refuses_every_operation_and_no_question(stage, tmp_path):
    stage.file.write_text(CONFIG.format(folder=tmp_path).replace('"heal"', '"observe"'))
    policy = Policy(read_config(stage.file), units=frozenset({"web.service"}))
    assert refusal(ALLOWED, policy) == "the mode is observe"
    assert refusal_to_tell(STACKS, policy) == ""


def test_a_rule_that_needs_names_refuses_without_them(stage):
    policy = Policy(read_config(stage.file), nameless="no bus")
    assert refusal_to_tell(STACKS, policy) == "no bus"
