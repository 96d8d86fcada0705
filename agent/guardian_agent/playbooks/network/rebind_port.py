"""Moves a component to a free port when its own may not be cleared, and takes its clients there."""

import re
import zlib
from typing import Annotated, ClassVar

import msgspec

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import Host
from guardian_agent.host.operations import (
    RemoveDropIn,
    ReplaceTables,
    ResetFailedUnit,
    StartUnit,
    StopUnit,
    WriteDropIn,
)
from guardian_agent.host.redirects import DROP_IN, drop_in_text, table_key, table_text
from guardian_agent.model import Component, Endpoint, Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step
from guardian_agent.playbooks.unit_restart import DOWN

AS_CLIENTS_SEE = ("l4_listen", "l4_connect", "l7_http", "l7_grpc", "l7_command")

Port = Annotated[int, msgspec.Meta(ge=1024, le=65535)]
Variable = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]


class RebindPort(Playbook, frozen=True):
    """Starts the component's unit on a free port and redirects the old one there, until the next boot.

    The unit must take its port from an environment variable. Who holds the old port keeps it, and the connections that
    it has; new ones come to the component.
    """

    heals: ClassVar = ("port_conflict",)
    tier: ClassVar = Tier.ONE_APPROVER

    variable: Variable = "PORT"
    ports: tuple[Port, Port] = (20000, 20999)  # the first and the last that may be taken

    async def plan(self, situation: Situation, host: Host) -> Plan:
        component = situation.workload()
        if component.unit is None or component.listen is None:
            raise CannotPlanError(f"{component.name} has no unit, or declares no port")
        if (moved := host.known.moved.get(component.name)) is not None:
            raise CannotPlanError(f"{component.name} was moved already, to {moved}")
        state = await host.units.state(component.unit)
        if state.load_state != "loaded":
            raise CannotPlanError(f"systemd says {component.unit} is {state.load_state}")
        unit = component.unit  # under an alias, too, a drop-in is found
        await self._check_that_it_follows(host, unit, component.listen.port)
        new = await self._free_port(situation, component, host)
        key = table_key(component.name)
        try:
            text = table_text(component.name, component.listen, new)
        except ValueError as error:
            raise CannotPlanError(f"{component.name} listens on a name: {error}") from error
        # Stopped first and started last, so that undoing ends with it as it was; the redirect is there before it
        # starts, since it is looked at as soon as it is up.
        down = state.active_state in DOWN
        return Plan(
            Step(ResetFailedUnit(unit)) if down else Step(StopUnit(unit), undo=StartUnit(unit)),
            Step(WriteDropIn(unit, DROP_IN, drop_in_text(self.variable, new)), undo=RemoveDropIn(unit, DROP_IN)),
            Step(ReplaceTables({key: text}), undo=ReplaceTables({key: ""})),
            Step(StartUnit(unit), undo=StopUnit(unit)),
            postconditions=AS_CLIENTS_SEE,
            replacement=Endpoint(component.listen.host, new),
        )

    async def _check_that_it_follows(self, host: Host, unit: str, port: int) -> None:
        """Raises CannotPlanError for a unit that would listen on its old port whatever the variable says."""
        settings = await host.units.settings(unit)
        pairs = [word.partition("=") for word in settings.environment]
        said = [value for name, _, value in pairs if name == self.variable]
        if said:
            if said[-1] != str(port):
                raise CannotPlanError(f"{unit} has {self.variable}={said[-1]}, which is not its port, {port}")
            return
        variable = re.compile(rf"\$(\{{{self.variable}\}}|{self.variable}(?![A-Za-z0-9_]))")
        if not any(variable.search(word) for word in settings.command):
            unnamed = f"neither its Environment= nor its ExecStart= names {self.variable}"
            raise CannotPlanError(f"{unit} does not take its port from a variable: {unnamed}")

    async def _free_port(self, situation: Situation, component: Component, host: Host) -> int:
        """A port that nobody has. Each component begins to look at another one, so that two that are moved do not meet
        when one of them is down for a moment."""
        first, last = self.ports
        taken = await host.sockets.ports_in_use(first, last)
        taken |= {one.listen.port for one in situation.components if one.listen}
        size = last - first + 1
        begin = zlib.crc32(component.name.encode())
        for offset in range(size):
            if (port := first + (begin + offset) % size) not in taken:
                return port
        raise CannotPlanError(f"there is no free port from {first} to {last}")
