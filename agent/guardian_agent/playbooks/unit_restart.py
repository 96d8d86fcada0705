"""How is a systemd unit brought up again?"""

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import Host
from guardian_agent.host.operations import KillUnit, ResetFailedUnit, RestartUnit, RunProgram, StartUnit, StopUnit
from guardian_agent.playbooks.base import Plan, Situation, Step

DOWN = ("failed", "inactive")


def is_deaf(situation: Situation) -> bool:
    """Whether the component hangs so that it will not hear that it is to stop: every process of it is stopped, or it
    left its own health check unanswered. One whose workers merely take no connections for a while stops when asked."""
    incident = situation.incident
    if incident.issue_type != "service_hung":
        return False
    if incident.owner_probe != "l4_accept" or incident.evidence.get("all_stopped"):
        return True
    readings = {probe: look.reading for probe, look in situation.looker.looks().items() if look.reading}
    return any(
        (probe == "l4_accept" and not reading.ok and reading.evidence.get("all_stopped") is True)
        or (probe != "l4_accept" and reading.issue_type == "service_hung")
        for probe, reading in readings.items()
    )


async def plan_unit_restart(
    host: Host,
    unit: str,
    *,
    attempts: int,
    kill: bool,
    drain: tuple[str, ...] | None = None,
    postconditions: tuple[str, ...] = (),
) -> Plan:
    """A start for a unit that is down (undone by a stop), a restart for one that is up.

    With `kill`, what runs is killed first, since a hung service sits out a polite stop
    (90 s by default); otherwise it is drained, where there is a drain command. The start limit is reset first where it
    is reached, or may be: after an attempt of ours that did not help.

    Raises:
        CannotPlanError: systemd has no such unit, or it is masked.
        ProbeError: systemd could not be asked.
    """
    state = await host.units.state(unit)
    if state.load_state != "loaded":
        raise CannotPlanError(f"systemd says {unit} is {state.load_state}")
    steps = [Step(ResetFailedUnit(unit))] if attempts or state.result == "start-limit-hit" else []
    if state.active_state in DOWN:
        return Plan(*steps, Step(StartUnit(unit), undo=StopUnit(unit)), postconditions=postconditions)
    if kill:
        steps.append(Step(KillUnit(unit)))
    elif drain:
        steps.append(Step(RunProgram(drain)))
    return Plan(*steps, Step(RestartUnit(unit)), postconditions=postconditions)
