from pathlib import Path

import pytest
from tests.agent.test_daemon import config

from guardian_agent.executor.policy import Policy
from guardian_agent.executor.rules.questions import refusal
from guardian_agent.host.questions import ReadJournal, ReadKernelMessages, ReadStacks, RootQuestion

POLICY = Policy(
    config(Path("/nowhere")), units=frozenset({"web.service"}), protected=frozenset({"ssh.service", "init.scope"})
)


@pytest.mark.parametrize(
    "question",
    [ReadJournal("web.service"), ReadJournal("web.service", 1000), ReadKernelMessages(1), ReadStacks("web.service")],
)
def test_what_is_of_a_component_is_told(question: RootQuestion) -> None:
    assert refusal(question, POLICY) == ""


@pytest.mark.parametrize("unit", ["ssh.service", "init.scope", "other.service", "", "*", "web*", "web.service\n"])
def test_the_journal_of_any_other_unit_is_not_told(unit: str) -> None:
    assert "is no unit of a component" in refusal(ReadJournal(unit), POLICY)


@pytest.mark.parametrize("lines", [0, -1, 1001, 10**9])
def test_more_lines_than_anybody_reads_are_not_told(lines: int) -> None:
    assert refusal(ReadJournal("web.service", lines), POLICY) == "at most 1000 lines are shown"
    assert refusal(ReadKernelMessages(lines), POLICY) == "at most 1000 lines are shown"
