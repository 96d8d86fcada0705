"""What is the agent told that only root can read?"""

from typing import assert_never

from guardian_agent.executor.policy import Policy
from guardian_agent.executor.rules import artifacts, cleanup, firewall
from guardian_agent.host.questions import JudgeCopy, ListHeldFiles, ListRemovable, ReadRuleset, ReadStacks, RootQuestion

MOST_THREADS = 1000


def refusal(question: RootQuestion, policy: Policy) -> str:
    """Why a question is not answered; empty when it is."""
    match question:
        case ReadStacks(unit, most):
            if unit not in policy.units:
                return f"{unit} is no unit of a component, or protected"
            return "" if 0 < most <= MOST_THREADS else f"at most {MOST_THREADS} threads are shown"
        case ReadRuleset():
            return firewall.refusal_to_tell(policy)
        case JudgeCopy():
            return artifacts.refusal_to_tell(question, policy)
        case ListRemovable() | ListHeldFiles():
            return cleanup.refusal_to_tell(question, policy)
        case _:
            assert_never(question)
