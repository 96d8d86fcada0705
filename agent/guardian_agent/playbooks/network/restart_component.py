"""Restarts a component whose port does not answer: ends what is left of it, and starts it."""

from typing import ClassVar

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import Host
from guardian_agent.host.operations import StartCommand, StopCommand
from guardian_agent.model import Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step
from guardian_agent.playbooks.unit_restart import is_deaf, plan_unit_restart

ITS_PORT = ("l4_listen",)  # a component that declares a port is not up before it listens there


class RestartComponent(Playbook, frozen=True):
    """Ends what is left of a component and starts it again, as a unit or as a command.

    A hung one does not react to being asked (one that listens and lets connections wait has its backlog full), and one
    that a first attempt did not mend is not asked twice: its whole control group (or session) is killed.
    """

    heals: ClassVar = (
        "process_crashed",
        "port_not_listening",
        "connection_refused",
        "connection_timeout",
        "service_hung",
    )
    tier: ClassVar = Tier.AUTOMATIC

    async def plan(self, situation: Situation, host: Host) -> Plan:
        component = situation.workload()
        listening = situation.looker.looks().get("l4_listen")
        backed_up = situation.incident.issue_type == "connection_timeout" and listening is not None and listening.ok
        kill = is_deaf(situation) or backed_up or situation.attempts > 0
        if component.unit:
            return await plan_unit_restart(
                host, component.unit, attempts=situation.attempts, kill=kill, postconditions=ITS_PORT
            )
        if component.command:
            stop = StopCommand(component.name, 0.0 if kill else component.stop_grace_s)
            start = StartCommand(component.name, component.command)
            return Plan(Step(stop), Step(start), postconditions=ITS_PORT)
        raise CannotPlanError(f"{component.name} has neither a unit nor a command, so it can only be watched")
