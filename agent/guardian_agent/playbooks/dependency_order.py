"""Is what a component rests on in order, so that starting the component can help?"""

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import Host
from guardian_agent.model import Component
from guardian_agent.playbooks.base import Situation

RUNNING = ("active", "reloading", "activating")  # what is coming up is not waited for


async def insist_on_dependencies(situation: Situation, host: Host) -> None:
    """What a component depends on comes first: started before that is back it would as a rule only fail once more.

    A dependency that fails and has an open incident explains this one, which then waits. So this is asked where it has
    none yet, or where a human was called for it. Asked is the machine as it is now, of every component on this host
    that it rests on, however far below.

    Raises:
        CannotPlanError: one of them does not run, or does not listen.
        ProbeError: the machine could not be read.
    """
    component = situation.workload()
    by_name = {each.name: each for each in situation.components}
    waiting, seen = list(component.depends_on), {component.name}
    while waiting:
        name = waiting.pop()
        if name in seen or name not in by_name:  # an endpoint elsewhere is another incident's
            continue
        seen.add(name)
        if failing := await _failing(by_name[name], host):
            raise CannotPlanError(f"{component.name} depends on {name}, and {failing}: that comes first")
        waiting += by_name[name].depends_on


async def _failing(component: Component, host: Host) -> str:
    """What is wrong with a component, as far as the kernel and systemd tell at once; empty when it looks well."""
    if component.unit:
        state = await host.units.state(component.unit)
        if state.active_state not in RUNNING:
            return f"{component.unit} is {state.active_state}"
    elif component.command:
        process = await host.processes.command(component.name)
        if process is None or not process.alive:
            return "it does not run"
    if component.listen and await host.sockets.listener(component.listen) is None:
        return f"nothing listens on {component.listen}"
    return ""
