"""What is the agent told that only root can read?"""

from typing import assert_never

from guardian_agent.executor.policy import Policy
from guardian_agent.executor.rules import artifacts, cleanup
from guardian_agent.host.questions import JudgeCopy, ListHeldFiles, ListRemovable, ReadStacks, ReadVitals, RootQuestion

MOST_THREADS = 1000
MOST_PROCESSES = 100


def refusal(question: RootQuestion, policy: Policy) -> str:
    """Why a question is not answered; empty when it is."""
    match question:
        case ReadStacks(unit, most):
            if unit not in policy.units:
                return f"{unit} is no unit of a component, or protected"
            return "" if 0 < most <= MOST_THREADS else f"at most {MOST_THREADS} threads are shown"
        case ReadVitals(unit, most):
            if unit not in policy.units:
                return f"{unit} is no unit of a component, or protected"
            return "" if 0 < most <= MOST_PROCESSES else f"at most {MOST_PROCESSES} processes are shown"
        case JudgeCopy():
            return artifacts.refusal_to_tell(question, policy)
        case ListRemovable() | ListHeldFiles():
            return cleanup.refusal_to_tell(question, policy)
        case _:
            assert_never(question)
