"""What holds for every family of operations and questions."""

from typing import get_args, get_type_hints

import pytest
from tests.agent.executor.fakes import ALLOWED, CONFIG, STACKS, Stage, read_config

from guardian_agent.executor.policy import Policy
from guardian_agent.executor.rules import FAMILIES, RULES, refusal, refusal_to_tell
from guardian_agent.host.operations import RootOperation, kinds_of


def test_each_operation_has_one_rule_which_is_made_for_it():
    kinds = [kind for family, _ in FAMILIES for kind in kinds_of(family)]
    assert sorted(kinds, key=repr) == sorted(get_args(RootOperation), key=repr)
    for family, rule in FAMILIES:
        assert get_type_hints(rule)["operation"] == family


def test_what_has_no_rule_is_refused(monkeypatch, stage):
    monkeypatch.delitem(RULES, type(ALLOWED))
    policy = Policy(read_config(stage.file), units=frozenset({"web.service"}))
    assert "there is no rule for it" in refusal(ALLOWED, policy)


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
