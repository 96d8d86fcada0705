"""May the files that decide how names are resolved be put back?"""

from guardian_agent.executor.policy import Policy
from guardian_agent.host.operations import ResolverOperation
from guardian_agent.host.operations.resolver import unfit


def refusal(operation: ResolverOperation, policy: Policy) -> str:
    """Why it is not done; empty when it is. Raises PolicyError: `restore_resolver` does not run here."""
    policy.playbook("restore_resolver")
    return unfit(operation)
