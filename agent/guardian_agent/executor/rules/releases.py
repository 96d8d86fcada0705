"""Which links to a release may be switched, and whereto?"""

from guardian_agent.executor.policy import Policy
from guardian_agent.host.operations import ReleaseOperation
from guardian_agent.host.releases import leads_into
from guardian_agent.model import Releases

LONGEST_TARGET = 4095  # symlink(2)


def refusal(operation: ReleaseOperation, policy: Policy) -> str:
    """Why it is not done; empty when it is. Raises PolicyError: `rollback_deployment` does not run here.

    What lies in the folder was put there by whoever deploys, so that whichever of it runs was meant to run once.
    """
    policy.playbook("rollback_deployment")
    declared = Releases(folder=operation.folder, current=operation.current)
    owners = [one for one in policy.config.components if one.releases and one.releases.current == operation.current]
    if not any(owner.releases == declared for owner in owners):
        return f"{operation.current} is no declared link to a release in {operation.folder}"
    if not all(policy.is_free(owner) for owner in owners):
        return f"{operation.current} is that of a component that is protected"
    if len(operation.target.encode(errors="replace")) > LONGEST_TARGET:
        return "that is too long for a link"
    if operation.target and not leads_into(operation.folder, operation.current, operation.target):
        return f"{operation.target} does not lead into {operation.folder}"
    return ""
