"""Whom may one end for a port?

Only who holds a declared component's port at this very moment, which is looked at anew, and whom nobody protects.
"""

import os

from guardian_agent.errors import ProbeError
from guardian_agent.executor.policy import Policy, PolicyError
from guardian_agent.host.operations import DestroySockets, KillProcess, PortOperation, StartForeignUnit, StopForeignUnit
from guardian_agent.host.port_holders import is_service, use_of
from guardian_agent.host.port_table import contests
from guardian_agent.host.questions import PortHolder, PortHolders
from guardian_agent.host.sparing import is_own_unit, why_spared

LONGEST_GRACE_S = 300.0


def refusal(operation: PortOperation, policy: Policy) -> str:
    """Why it is not done; empty when it is."""
    policy.playbook("clear_port")
    match operation:
        case DestroySockets(port):
            return "" if port in _ports(policy, of_protected=False) else _no_component(port)
        case KillProcess(port=port, grace_s=grace_s):
            if port not in _ports(policy, of_protected=False):
                return _no_component(port)
            if not 0 <= grace_s <= LONGEST_GRACE_S:
                return f"at most {LONGEST_GRACE_S:g} s are waited for a process to end"
            return _why_not_killed(policy, operation)
        case StopForeignUnit(unit):
            held = [one for one in _contesting(policy) if one.unit == unit and is_own_unit(one)]
            return _why_kept(policy, held) if held else f"{unit} holds no component's port now"
        case StartForeignUnit(unit):
            if unit in policy.protected:
                return f"{unit} is protected"
            # Nothing is done to one that was not stopped for a port on this boot: see `StartForeignUnit`.
            return "" if is_service(unit) else f"{unit[:80]!r} is no name of a service"


def refusal_to_tell(question: PortHolders, policy: Policy) -> str:
    """Why it is not told who holds a port; empty when it is."""
    return "" if question.port in _ports(policy, of_protected=True) else _no_component(question.port)


def _why_not_killed(policy: Policy, operation: KillProcess) -> str:
    """One that does not listen on the port at all is let through, since then nothing is done to it: see
    `KillProcess`."""
    meant = operation.pid, operation.start_ticks
    if not any((one.pid, one.start_ticks) == meant for one in _holders(operation.port)):
        return ""
    held = [one for one in _contesting(policy) if (one.pid, one.start_ticks) == meant]
    return _why_kept(policy, held) if held else f"process {operation.pid} keeps no component from its port"


def _why_kept(policy: Policy, holders: list[PortHolder]) -> str:
    untouchable = policy.protected | policy.units
    own = (os.getpid(), os.getppid())
    reasons = ((one, "it is Guardian" if one.pid in own else why_spared(one, untouchable)) for one in holders)
    return next((f"{one.shown}: {reason}" for one, reason in reasons if reason), "")


def _contesting(policy: Policy) -> list[PortHolder]:
    """Who listens where a component is to, now. Raises PolicyError."""
    listens = [one.listen for one in policy.config.components if one.listen is not None and policy.is_free(one)]
    return [
        holder
        for endpoint in listens
        for holder in _holders(endpoint.port)
        if contests(endpoint.host, holder.addresses)
    ]


def _holders(port: int) -> tuple[PortHolder, ...]:
    try:
        return use_of(port).holders
    except ProbeError as error:
        raise PolicyError(str(error)) from error


def _ports(policy: Policy, *, of_protected: bool) -> set[int]:
    components = (one for one in policy.config.components if of_protected or policy.is_free(one))
    return {one.listen.port for one in components if one.listen is not None}


def _no_component(port: int) -> str:
    return f"port {port} is no component's, or a protected one's"
