"""What is the agent told that only root can read?"""

from guardian_agent.executor.policy import Policy
from guardian_agent.executor.rules import artifacts, cleanup, firewall
from guardian_agent.host.questions import JudgeCopy, ListHeldFiles, ListRemovable, ReadJournal, ReadKernelMessages, ReadRuleset, ReadStacks, ReadVitals, RootQuestion
from typing import assert_never

MOST_THREADS = 1000
MOST_PROCESSES = 100
MOST_LINES = 1000


def refusal(question: RootQuestion, policy: Policy) -> str:
    """Why a question is not answered; empty when it is."""
    match question:
        case ReadStacks(unit, most):
            if unit not in policy.units:
                return f"{unit} is no unit of a component, or protected"
            return "" if 0 < most <= MOST_THREADS else f"at most {MOST_THREADS} threads are shown"
        case ReadRuleset():
            return firewall.refusal_to_tell(policy)
            return firewall.refusal_to_tell(question, policy)
        case ReadJournal(unit, lines):
            if unit not in policy.units:
                return f"{unit} is no unit of a component, or protected"
            return _too_many(lines)
        case ReadKernelMessages(lines):
            return _too_many(lines)
        case JudgeCopy():
            return artifacts.refusal_to_tell(question, policy)
        case ListRemovable() | ListHeldFiles():
            return cleanup.refusal_to_tell(question, policy)
        case ReadVitals(unit, most):
            if unit not in policy.units:
                return f"{unit} is no unit of a component, or protected"
            return "" if 0 < most <= MOST_PROCESSES else f"at most {MOST_PROCESSES} processes are shown"
        case _:
            assert_never(question)


def _too_many(lines: int) -> str:
    return "" if 0 < lines <= MOST_LINES else f"at most {MOST_LINES} lines are shown"
