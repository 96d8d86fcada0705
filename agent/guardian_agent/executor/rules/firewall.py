"""Which tables of nftables may be changed, and to what?"""

from guardian_agent.executor.policy import Policy
from guardian_agent.executor.rules import rebind
from guardian_agent.host.operations import FirewallOperation


def refusal(operation: FirewallOperation, policy: Policy) -> str:
    """Why the tables are not changed; empty when they are."""
    for key, text in operation.tables.items():
        if not rebind.is_redirect(key):
            return f"table {key} is none of Guardian's"
        if reason := rebind.refusal_of_table(key, text, policy):
            return reason
    return "" if operation.tables else "it names no table"
