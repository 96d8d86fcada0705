import pytest
from tests.agent.executor.fakes import Stage, read_config

from guardian_agent.executor.policy import Policy
from guardian_agent.executor.rules.questions import refusal
from guardian_agent.host.questions import ReadStacks


@pytest.fixture
def policy(tmp_path):
    return Policy(read_config(Stage(tmp_path).file), units=frozenset({"web.service"}))


def test_the_threads_of_a_component_are_told(policy):
    assert refusal(ReadStacks("web.service"), policy) == ""


@pytest.mark.parametrize("unit", ["sshd.service", "", "-.slice", "web"])
def test_of_nothing_else(policy, unit):
    assert "is no unit of a component" in refusal(ReadStacks(unit), policy)


@pytest.mark.parametrize("most", [0, -1, 1001])
def test_so_many_at_most(policy, most):
    assert "at most 1000 threads" in refusal(ReadStacks("web.service", most), policy)
