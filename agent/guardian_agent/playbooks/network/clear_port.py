"""Takes a component's port back from whoever else holds it, and starts the component."""

import os
from typing import Annotated, ClassVar

import msgspec

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import Host, Operation
from guardian_agent.host.names import own_names
from guardian_agent.host.operations import (
    DestroySockets,
    KillProcess,
    StartCommand,
    StartForeignUnit,
    StopForeignUnit,
)
from guardian_agent.host.port_table import contests
from guardian_agent.host.questions import PortHolder, PortHolders, PortUse
from guardian_agent.host.sparing import is_own_unit, why_spared
from guardian_agent.model import Component, Endpoint, Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step
from guardian_agent.playbooks.unit_restart import plan_unit_restart

ITS_PORT = ("l4_listen",)


class ClearPort(Playbook, frozen=True):
    """Stops the foreign service or ends the foreign process that holds the port, and starts the component.

    A process that was ended does not come back when this is undone; a service does. That is why a service is stopped as
    a unit wherever there is one. What must not be stopped is not: then this has no plan.
    """

    heals: ClassVar = ("port_conflict",)
    tier: ClassVar = Tier.ONE_APPROVER

    grace_s: Annotated[float, msgspec.Meta(ge=0)] = 10.0  # between SIGTERM and SIGKILL

    async def plan(self, situation: Situation, host: Host) -> Plan:
        component = situation.workload()
        if component.listen is None:
            raise CannotPlanError(f"{component.name} declares no port")
        if (moved := host.known.moved.get(component.name)) is not None:
            raise CannotPlanError(f"{component.name} was moved to {moved}, and its own port was given up")
        use = await host.ask(PortHolders(component.listen.port))
        foreign = await self._foreign(situation, component, component.listen, use, host)
        steps = self._steps(foreign, component.listen.port)
        # What its clients leave behind keeps the port from one that does not set SO_REUSEADDR.
        if use.left_over or (foreign and use.connections):
            steps.append(Step(DestroySockets(component.listen.port)))
        if not steps:
            raise CannotPlanError(f"nobody but {component.name} holds port {component.listen.port}")
        start = await self._start(situation, component, host)
        told = [msgspec.to_builtins(holder) for holder in foreign]
        return Plan(*steps, *start, findings={"holders": told} if told else None, postconditions=ITS_PORT)

    async def _foreign(
        self, situation: Situation, component: Component, endpoint: Endpoint, use: PortUse, host: Host
    ) -> list[PortHolder]:
        """Who is to let go. Raises CannotPlanError where one of them may not be touched."""
        if any(contests(endpoint.host, (address,)) for address in use.ownerless):
            raise CannotPlanError(f"no process holds port {endpoint.port}: the kernel itself serves it")
        units = {one.unit for one in situation.components if one.unit}
        names = await own_names(host.units, units | ({component.unit} if component.unit else set()))
        untouchable = {*situation.protected, *names, *names.values()}
        foreign = []
        for holder in use.holders:
            if not contests(endpoint.host, holder.addresses) or await self._is_own(component, names, holder, host):
                continue
            reason = "it is Guardian" if holder.pid == os.getpid() else why_spared(holder, untouchable)
            if reason:
                raise CannotPlanError(f"{holder.shown} holds port {endpoint.port}, and {reason}")
            foreign.append(holder)
        return foreign

    async def _is_own(self, component: Component, names: dict[str, str], holder: PortHolder, host: Host) -> bool:
        if component.unit:
            return holder.unit in (component.unit, names[component.unit])
        command = await host.processes.command(component.name)
        return command is not None and command.pid == holder.session

    def _steps(self, foreign: list[PortHolder], port: int) -> list[Step]:
        """Each service once, then what is none, oldest first: a parent starts what is missing of its children."""
        services = dict.fromkeys(holder.unit for holder in foreign if is_own_unit(holder))
        processes = [holder for holder in foreign if not is_own_unit(holder)]
        return [
            *(Step(StopForeignUnit(unit), undo=StartForeignUnit(unit)) for unit in services),
            *(Step(KillProcess(one.pid, one.start_ticks, port, self.grace_s, one.name)) for one in processes),
        ]

    async def _start(self, situation: Situation, component: Component, host: Host) -> tuple[Step, ...]:
        if component.unit:
            plan = await plan_unit_restart(host, component.unit, attempts=situation.attempts, kill=False)
            return plan.steps
        if component.command:
            start: Operation = StartCommand(component.name, component.command)
            return (Step(start),)
        raise CannotPlanError(f"{component.name} has neither a unit nor a command, so it can only be watched")
