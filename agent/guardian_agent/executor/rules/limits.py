"""Whose share of the machine may be changed, and how far?

The worst that an enemy can do by it is to slow a unit that the operator neither declared nor protected, or to put a
declared one's limits back to some value that they could have had.
"""

from guardian_agent.executor.policy import Policy
from guardian_agent.host.operations import LimitOperation, ResetUnitLimit
from guardian_agent.host.operations.limits import BOUNDS, NO_LIMIT, is_unit
from guardian_agent.playbooks.auto_heal.performance_optimization import NEVER, USUAL_WEIGHT

RAISED = {"CPUWeight": USUAL_WEIGHT, "IOWeight": USUAL_WEIGHT, "TasksMax": BOUNDS["TasksMax"][0]}  # at least
LOWERED = {"CPUWeight": USUAL_WEIGHT, "IOWeight": USUAL_WEIGHT, "MemoryHigh": NO_LIMIT}  # at most


def refusal(operation: LimitOperation, policy: Policy) -> str:
    """Why a limit is not changed; empty when it is. Raises PolicyError."""
    unit, name, value = operation.unit, operation.name, operation.value
    policy.playbook("performance_optimization")
    if not is_unit(unit) or unit in policy.protected or unit.startswith(NEVER):
        return f"{unit[:80]!r} is not a service or scope whose limits may be changed"
    if name not in BOUNDS:
        return f"{name[:80]!r} is not among the limits that may be changed"
    if isinstance(operation, ResetUnitLimit):
        least, most = 0, NO_LIMIT
    elif unit in policy.units:
        least, most = RAISED.get(name, NO_LIMIT), BOUNDS[name][1]
    else:
        least, most = BOUNDS[name][0], min(BOUNDS[name][1], LOWERED.get(name, -1))
    if not least <= value <= most:
        kind = "a declared unit" if unit in policy.units else "a unit that is not declared"
        return f"{name}={value} is not allowed for {kind}"
    return ""
