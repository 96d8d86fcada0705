import pytest
from tests.agent.executor.fakes import Stage, read_config

from guardian_agent.executor.policy import Policy
from guardian_agent.executor.rules.questions import refusal
from guardian_agent.host.questions import ReadJournal, ReadKernelMessages, ReadStacks


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


@pytest.mark.parametrize("question", [ReadJournal("web.service", 1000), ReadKernelMessages(1)])
def test_the_journal_of_a_component_is_told_and_the_kernels(policy, question):
    assert refusal(question, policy) == ""


@pytest.mark.parametrize("unit", ["ssh.service", "other.service", "", "*", "web*", "web.service\n"])
def test_the_journal_of_any_other_unit_is_not(policy, unit):
    assert "is no unit of a component" in refusal(ReadJournal(unit), policy)


@pytest.mark.parametrize("lines", [0, -1, 1001, 10**9])
def test_more_lines_than_anybody_reads_are_not_told(policy, lines):
    assert refusal(ReadJournal("web.service", lines), policy) == "at most 1000 lines are shown"
    assert refusal(ReadKernelMessages(lines), policy) == "at most 1000 lines are shown"
