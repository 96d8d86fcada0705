"""What is the agent told that only root can read?"""

from typing import assert_never

from guardian_agent.executor.policy import Policy
from guardian_agent.executor.rules import artifacts, cleanup, firewall, ports
from guardian_agent.host.questions import (
    JudgeCopy,
    ListCleaned,
    ListHeldFiles,
    ListRemovable,
    PortHolders,
    ReadJournal,
    ReadKernelMessages,
    ReadRuleset,
    ReadStacks,
    ReadVitals,
    RootQuestion,
)

MOST_THREADS = 1000
MOST_PROCESSES = 100
MOST_LINES = 1000


def refusal(question: RootQuestion, policy: Policy) -> str:
    """Why a question is not answered; empty when it is."""
    match question:
        case ReadStacks(unit, most):
            return _of_unit(unit, policy) or _too_many(most, MOST_THREADS, "threads")
        case ReadRuleset():
            return firewall.refusal_to_tell(policy)
        case ReadJournal(unit, lines):
            return _of_unit(unit, policy) or _too_many(lines, MOST_LINES, "lines")
        case ReadKernelMessages(lines):
            return _too_many(lines, MOST_LINES, "lines")
        case PortHolders():
            return ports.refusal_to_tell(question, policy)
        case JudgeCopy():
            return artifacts.refusal_to_tell(question, policy)
        case ListRemovable() | ListHeldFiles() | ListCleaned():
            return cleanup.refusal_to_tell(question, policy)
        case ReadVitals(unit, most):
            return _of_unit(unit, policy) or _too_many(most, MOST_PROCESSES, "processes")
        case _:
            assert_never(question)


def _of_unit(unit: str, policy: Policy) -> str:
    return "" if unit in policy.units else f"{unit} is no unit of a component, or protected"


def _too_many(asked: int, most: int, what: str) -> str:
    return "" if 0 < asked <= most else f"at most {most} {what} are shown"
