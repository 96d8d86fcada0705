"""Which settings of the kernel may be changed, and to what?

Those that a playbook writes, to what root itself would make of them. So the worst that an enemy can do by it is what
that playbook does: local ports become as many as is usual on any host.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from guardian_agent.executor.policy import Policy
from guardian_agent.host.operations import ResetSysctl, SettingOperation
from guardian_agent.host.operations.settings import LOCAL_PORTS, sysctl_path, with_usual_ports

# By setting: the playbook that writes it, and what comes of the value that is there now.
WRITTEN: Mapping[str, tuple[str, Callable[[str], str]]] = {
    LOCAL_PORTS: ("performance_optimization", with_usual_ports),
}


def refusal(operation: SettingOperation, policy: Policy) -> str:
    """Why a setting is not changed; empty when it is. Raises PolicyError: its playbook does not run here."""
    if operation.name not in WRITTEN:
        return f"{operation.name[:80]!r} is not among the kernel settings that may be changed"
    playbook_id, made_of = WRITTEN[operation.name]
    policy.playbook(playbook_id)
    if isinstance(operation, ResetSysctl):  # to what root itself saw
        return ""
    try:
        wanted = made_of(_now(operation.name))
    except OSError as error:
        return f"{operation.name} cannot be read: {error.strerror}"
    except ValueError as error:
        return str(error)
    return "" if operation.value == wanted else f"{operation.name} may become {wanted!r}, and nothing else"


def _now(name: str) -> str:
    return Path(sysctl_path(name)).read_text(encoding="ascii")
