"""Whom may one end for a port?

Only who holds a declared component's port at this very moment, which is looked at anew, and whom nobody protects.
"""

import os
from collections.abc import Callable, Iterator

from guardian_agent.errors import ProbeError
from guardian_agent.executor.policy import Policy
from guardian_agent.host.as_root.ports import use_of, was_stopped
from guardian_agent.host.operations import DestroySockets, KillProcess, PortOperation, StartForeignUnit, StopForeignUnit
from guardian_agent.host.port_table import contests
from guardian_agent.host.questions import PortHolder, PortHolders
from guardian_agent.host.sparing import is_own_unit, why_spared

LONGEST_GRACE_S = 300.0


def refusal(operation: PortOperation, policy: Policy) -> str:
    """Why it is not done; empty when it is."""
    policy.playbook("clear_port")
    match operation:
        case DestroySockets(port):
            return "" if port in _ports(policy) else f"port {port} is no component's"
        case KillProcess(pid, start_ticks, grace_s):
            if not 0 <= grace_s <= LONGEST_GRACE_S:
                return f"at most {LONGEST_GRACE_S:g} s are waited for a process to end"
            return _why_kept(policy, f"process {pid}", lambda one: (one.pid, one.start_ticks) == (pid, start_ticks))
        case StopForeignUnit(unit):
            return _why_kept(policy, unit, lambda one: one.unit == unit and is_own_unit(one))
        case StartForeignUnit(unit):
            if unit in policy.protected:
                return f"{unit} is protected"
            return "" if was_stopped(unit) else f"{unit} was not stopped by Guardian on this boot"


def refusal_to_tell(question: PortHolders, policy: Policy) -> str:
    """Why it is not told who holds a port; empty when it is."""
    return "" if question.port in _ports(policy) else f"port {question.port} is no component's"


def _why_kept(policy: Policy, shown: str, meant: Callable[[PortHolder], bool]) -> str:
    try:
        found = [holder for holder in _holders(policy) if meant(holder)]
    except ProbeError as error:
        return str(error)
    if not found:
        return f"{shown} holds no component's port now"
    untouchable = policy.protected | policy.units
    own = (os.getpid(), os.getppid())
    reasons = ("it is Guardian" if one.pid in own else why_spared(one, untouchable) for one in found)
    return next((f"{shown}: {reason}" for reason in reasons if reason), "")


def _holders(policy: Policy) -> Iterator[PortHolder]:
    for component in policy.config.components:
        if component.listen is not None:
            for holder in use_of(component.listen.port).holders:
                if contests(component.listen.host, holder.addresses):
                    yield holder


def _ports(policy: Policy) -> set[int]:
    return {component.listen.port for component in policy.config.components if component.listen is not None}
