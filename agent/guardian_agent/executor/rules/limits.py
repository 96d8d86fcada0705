"""Whose share of the machine may be changed, and how far?

Who is declared may have more tasks; who is neither declared nor protected nor what the host lives by may be slowed.
Root sees to it that a change goes in that direction from what is there now, and to what it goes back
(`as_root/limits.py`). So the worst that an enemy can do by it is to slow such a stranger.
"""

from guardian_agent.executor.policy import Policy
from guardian_agent.host.operations import LimitOperation, ResetUnitLimit, SetUnitLimit
from guardian_agent.host.operations.limits import BOUNDS, LOWERED, is_unit
from guardian_agent.playbooks.auto_heal.performance_optimization import (
    FEWEST_TASKS,
    NEVER,
    USUAL_WEIGHT,
    PerformanceOptimization,
)


def refusal(operation: LimitOperation, policy: Policy) -> str:
    """Why a limit is not changed; empty when it is. Raises PolicyError."""
    unit, name = operation.unit, operation.name
    playbook = policy.playbook("performance_optimization")
    if not isinstance(playbook, PerformanceOptimization):
        return "performance_optimization is another playbook on this host"
    if not is_unit(unit) or unit in policy.protected or unit.startswith(NEVER):
        return f"{unit[:80]!r} is not a service or scope whose limits may be changed"
    if name not in BOUNDS:
        return f"{name[:80]!r} is not among the limits that may be changed"
    if isinstance(operation, ResetUnitLimit):  # to what root itself saw
        return ""
    if unit in policy.units:
        return _of_declared(operation)
    if unit in playbook.spare:
        return f"{unit} is spared by playbooks.performance_optimization.spare"
    return _of_stranger(operation, playbook)


def _of_declared(operation: SetUnitLimit) -> str:
    if operation.name in LOWERED:
        return f"{operation.name}= of a declared unit is not changed: it is not slowed"
    return _between(operation, FEWEST_TASKS, BOUNDS[operation.name][1])


def _of_stranger(operation: SetUnitLimit, playbook: PerformanceOptimization) -> str:
    if operation.name not in LOWERED:
        return f"{operation.name}= is only raised, for a declared unit"
    if operation.name == "MemoryHigh":
        return _between(operation, *BOUNDS[operation.name])
    return _between(operation, playbook.weight, USUAL_WEIGHT)


def _between(operation: SetUnitLimit, least: int, most: int) -> str:
    if least <= operation.value <= most:
        return ""
    return f"{operation.name}={operation.value} is not allowed for {operation.unit}: it is to be {least} to {most}"
