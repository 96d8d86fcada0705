"""Which settings of the kernel may be changed, and to what?"""

import re

from guardian_agent.executor.policy import Policy
from guardian_agent.host.operations import SettingOperation

# Limits that a busy host runs into. None of them runs a program, opens a path, or weakens a protection.
CHANGEABLE = frozenset(
    {
        "net.core.netdev_max_backlog",
        "net.core.somaxconn",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_max_orphans",
        "net.ipv4.tcp_max_syn_backlog",
        "net.ipv4.tcp_max_tw_buckets",
        "net.ipv4.tcp_tw_reuse",
        "net.netfilter.nf_conntrack_max",
        "vm.dirty_background_ratio",
        "vm.dirty_ratio",
        "vm.swappiness",
        "vm.vfs_cache_pressure",
    }
)
_NUMBERS = re.compile(r"[0-9]{1,10}([ \t][0-9]{1,10})?")


def refusal(operation: SettingOperation, policy: Policy) -> str:  # noqa: ARG001 (each family's rule is asked alike)
    """Why a setting is not changed; empty when it is."""
    if operation.name not in CHANGEABLE:
        return f"{operation.name} is not among the kernel settings that may be changed"
    if not _NUMBERS.fullmatch(operation.value):
        return f"{operation.value[:40]!r} is no number, and no two"
    return ""
