"""Which tables of the firewall may be replaced, and by what?

What power remains to an agent in an enemy's hands, where `restore_firewall` may act: it can bring each table back to
any state in which root itself has seen it on this host, there being no such table among them (`as_root/firewall.py`
sees to it). So it cannot write rules of its own, and neither open nor close what was never so; but what was, it can.
Nor can it send packets elsewhere, hand them to a program, or translate addresses, unless root's configuration says
`diverting`. Whatever it writes, nft reads no file, runs nothing, and touches no table but those that are named: the
text is checked by a grammar narrower than nft's own. Without `restore_firewall`, `rebind_port` leaves it redirects in
tables of Guardian's own and no more.
"""

from typing import cast

from guardian_agent.executor.policy import Policy, PolicyError
from guardian_agent.executor.rules import rebind
from guardian_agent.host import nft
from guardian_agent.host.operations import FirewallOperation
from guardian_agent.playbooks.path_repair.restore_firewall import RestoreFirewall

MOST_TABLES = 100


def refusal(operation: FirewallOperation, policy: Policy) -> str:
    """Why these tables are not replaced; empty when they are. Raises PolicyError: no playbook may."""
    if not 0 < len(operation.tables) <= MOST_TABLES:
        return f"between 1 and {MOST_TABLES} tables may be replaced at once"
    if sum(len(text.encode(errors="replace")) for text in operation.tables.values()) > nft.MOST_BYTES:
        return f"the tables are longer than {nft.MOST_BYTES} bytes"
    return next(filter(None, (_of_table(key, text, policy) for key, text in operation.tables.items())), "")


def refusal_to_tell(policy: Policy) -> str:
    """Why the rules are not shown; empty when they are, to whom may change some. Raises PolicyError: none may."""
    try:
        policy.playbook("restore_firewall")
    except PolicyError:
        policy.playbook("rebind_port")
    return ""


def _of_table(key: str, text: str, policy: Policy) -> str:
    if not nft.is_key(key):
        return f"{key[:80]!r} is no name of a table"
    if text and (wrong := nft.fault(key, text)):
        return wrong
    if nft.is_ours(key):
        if not rebind.is_redirect(key):
            return f"table {key} is Guardian's own, and none that a playbook makes"
        return rebind.refusal_of_table(key, text, policy)
    restoring = cast(RestoreFirewall, policy.playbook("restore_firewall"))
    how = "" if restoring.diverting else nft.diversion(text)
    return f"table {key} would send packets elsewhere ({how})" if how else ""
