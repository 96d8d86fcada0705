"""Goes back to the release of a component that was last seen good."""

from typing import ClassVar

import msgspec

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import FileState, Host
from guardian_agent.host.escaped import escaped
from guardian_agent.host.operations import (
    KillUnit,
    Operation,
    RestartUnit,
    StartCommand,
    StopCommand,
    SwitchRelease,
)
from guardian_agent.host.releases import leads_into, place_of
from guardian_agent.model import Component, Releases, Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step
from guardian_agent.playbooks.unit_restart import DOWN, is_deaf, plan_unit_restart


class RollbackDeployment(Playbook, frozen=True):
    """Switches the link to the current release back to the one last seen good, and restarts the component.

    Where the last good one is the current one, the fault is another; where none was seen good, nobody knows a better.
    """

    heals: ClassVar = (
        *("deploy_regressed", "payload_broken", "service_failed", "service_hung", "process_crashed"),
        *("port_not_listening", "connection_refused", "connection_timeout"),
        *("http_error", "check_failed", "grpc_unhealthy", "heartbeat_lost", "session_dropped"),
    )
    tier: ClassVar = Tier.ONE_APPROVER

    async def plan(self, situation: Situation, host: Host) -> Plan:
        component = situation.workload()
        if component.releases is None:
            raise CannotPlanError(f"{component.name} declares no releases")
        good = host.known.good.releases.get(component.name)
        if good is None:
            raise CannotPlanError(f"no release of {component.name} was ever seen good")
        releases, current = component.releases, await host.files.state(component.releases.current)
        await _check_target(host, releases, good)
        await _check_current(host, releases, current, good)
        target, changed_ns = (current.target, current.modified_wall_ns) if current else ("", None)
        switch = Step(
            SwitchRelease(releases.folder, releases.current, good),
            undo=SwitchRelease(releases.folder, releases.current, target, changed_ns),
        )
        findings = {"from": target or "no release", "to": good}
        return await _around(switch, findings, situation, component, host)


async def _check_target(host: Host, releases: Releases, good: str) -> None:
    place = place_of(releases.current, good)
    if not leads_into(releases.folder, releases.current, good):
        raise CannotPlanError(f"{place}, the last good release, is not in {releases.folder}")
    there = await host.files.state(place)
    if there is None:
        raise CannotPlanError(f"{place}, the last good release, is there no more")
    if there.kind != "folder":
        raise CannotPlanError(f"{place}, the last good release, is a {there.kind} and not a folder")


async def _check_current(host: Host, releases: Releases, current: FileState | None, good: str) -> None:
    """That the link is another, and could be put back as it is."""
    if current is None:
        return
    if current.kind != "link":
        raise CannotPlanError(f"{releases.current} is a {current.kind} and not a link")
    place = place_of(releases.current, current.target)
    if place == place_of(releases.current, good):
        raise CannotPlanError(f"{place} is the release last seen good already")
    there = await host.files.state(place)
    shown = escaped(current.target)  # an undecodable one could not be written down, and so not be put back
    inside = shown == current.target and leads_into(releases.folder, releases.current, current.target)
    if not inside or (there and there.kind != "folder"):
        raise CannotPlanError(f"{releases.current} leads to {shown}, to which it could not be switched back")


async def _around(
    switch: Step, findings: dict[str, str], situation: Situation, component: Component, host: Host
) -> Plan:
    """The switch, and what makes the release run. What is undone ends with the component running what it ran."""
    deaf = is_deaf(situation)
    if component.unit:
        restart = await plan_unit_restart(host, component.unit, attempts=1, kill=deaf, drain=component.drain)
        first, *others = restart.steps  # the start limit, which the bad release may have reached
        first = msgspec.structs.replace(first, undo=await _as_it_ran(host, component.unit))
        ports = ("l4_listen",) if component.listen else ()
        return Plan(first, switch, *others, findings=findings, postconditions=ports)
    if component.command:
        start = StartCommand(component.name, component.command)
        stop = StopCommand(component.name, 0.0 if deaf else component.stop_grace_s)
        running = await host.processes.command(component.name)
        ran = start if running is not None and running.alive else None
        again = Step(start, undo=StopCommand(component.name, component.stop_grace_s))
        return Plan(Step(stop, undo=ran), switch, again, findings=findings)
    return Plan(switch, findings=findings)


async def _as_it_ran(host: Host, unit: str) -> Operation | None:
    """What makes a unit run again what the link names, once that is as it was. One that keeps crashing is left to
    systemd, which starts it again: a start of ours would fail, and that is no failure to undo."""
    state = await host.units.state(unit)
    if state.active_state in DOWN:
        return None
    return RestartUnit(unit) if state.active_state == "active" else KillUnit(unit)
