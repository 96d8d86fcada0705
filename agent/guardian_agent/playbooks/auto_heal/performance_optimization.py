"""Gives the machine back to those that it is there for: the noisy neighbour waits its turn, limits are sane again."""

import asyncio
from typing import Annotated, Any, ClassVar

import msgspec

from guardian_agent.errors import CannotPlanError, ProbeError
from guardian_agent.host import Host, UnitLoad
from guardian_agent.host.operations import ResetSysctl, ResetUnitLimit, SetUnitLimit, WriteSysctl
from guardian_agent.host.operations.limits import BOUNDS, NO_LIMIT, is_unit
from guardian_agent.host.operations.settings import LOCAL_PORTS, USUAL_PORTS, with_usual_ports
from guardian_agent.model import Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step

SAMPLE_S = 1.0  # over which use is measured
USUAL_WEIGHT = 100
RAISE_TASKS = 4  # times what it may have now …
FEWEST_TASKS = 64  # … and this many at least
STARVES = ("service_hung", "connection_timeout")  # what a component for want of a processor looks like, too
RESOURCES = {
    "cpu_pressure": "cpu",
    "memory_pressure": "memory",
    "io_pressure": "io",
    **dict.fromkeys(("high_latency", *STARVES), "cpu"),
}
WAITED_PERCENT = 20.0  # for a processor: where it is less, a slow network is not for want of one
STARVED_PERCENT = 15.0  # waited the component itself: what two seconds without any make of the last ten
# Whoever logged in, what the host itself lives by, and what holds the others is nobody's noisy neighbour.
NEVER = (
    *("session-", "user@", "systemd-", "init.scope", "dbus", "polkit", "ssh", "guardian-"),
    *("getty@", "serial-getty@", "console-getty", "container-getty@", "rescue.", "emergency."),
    *("NetworkManager", "networking.", "ifup@", "wpa_supplicant", "dhcp", "connman", "ModemManager"),
)


class PerformanceOptimization(Playbook, frozen=True, kw_only=True):
    """Finds by the numbers who takes so much, and lowers its weight; raises a limit of a component that is too low.

    Weights and limits hold until the next boot, and go back where the pressure does not fall. Nothing is stopped.
    """

    heals: ClassVar = (
        *("memory_pressure", "cpu_pressure", "io_pressure", "high_latency"),
        *("port_exhaustion", "tasks_exhausted"),
        *STARVES,
    )
    tier: ClassVar = Tier.AUTOMATIC

    noisy_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.3  # of all that is used: who takes less is not to blame
    weight: Annotated[int, msgspec.Meta(ge=1, le=99)] = 10  # of processors and disks, for a noisy neighbour; usual: 100
    memory_ratio: Annotated[float, msgspec.Meta(ge=0.5, le=0.95)] = 0.8  # of what it has now, above which it is slowed
    spare: tuple[str, ...] = ()  # units that are left alone, beside the protected ones and the components

    async def plan(self, situation: Situation, host: Host) -> Plan:
        match situation.incident.issue_type:
            case "tasks_exhausted":
                return await _more_tasks(situation, host)
            case "port_exhaustion":
                return await _more_ports(host)
        return await self._quieter(situation, host)

    async def evidence_after(self, situation: Situation, host: Host) -> dict[str, Any]:
        resource = RESOURCES.get(situation.incident.issue_type)
        if resource is None:
            return {}
        waited = await _components_waited(situation, host)
        return {"pressure_after": await _pressures(host), "components_waited_percent_after": waited}

    async def _quieter(self, situation: Situation, host: Host) -> Plan:
        resource = RESOURCES.get(situation.incident.issue_type)
        if resource is None:
            raise CannotPlanError(f"{situation.incident.issue_type} is not for want of processors, memory or disks")
        before = await _pressures(host)
        if situation.incident.issue_type == "high_latency" and before.get("cpu", 0.0) < WAITED_PERCENT:
            raise CannotPlanError("no processor is waited for, so the network is slow for another reason")
        if situation.incident.issue_type in STARVES:
            await _check_that_it_starves(situation.workload().unit, before, host)
        used = await _use(host, resource)
        noisy = self._noisiest(situation, used)
        name = {"cpu": "CPUWeight", "io": "IOWeight", "memory": "MemoryHigh"}[resource]
        limits = await host.units.limits(noisy)
        prior = limits.values.get(name)
        if prior is None:
            raise CannotPlanError(f"systemd has no {name}= for {noisy}")
        value = self.weight if resource != "memory" else self._memory_high(used[noisy])
        if prior <= value:
            raise CannotPlanError(f"{noisy} takes most, and has {name}={prior} already")
        findings = {
            "pressure": before,
            "components_waited_percent": await _components_waited(situation, host),
            "noisy": noisy,
            "used": {unit: round(amount, 2) for unit, amount in sorted(used.items(), key=lambda one: -one[1])[:10]},
            "used_unit": {"cpu": "processors", "io": "bytes per second", "memory": "bytes"}[resource],
            "prior": {name: "not set" if prior == NO_LIMIT else prior},
        }
        return Plan(_step(noisy, name, value), findings=findings)

    def _memory_high(self, used_bytes: float) -> int:
        return max(BOUNDS["MemoryHigh"][0], int(self.memory_ratio * used_bytes) >> 12 << 12)

    def _noisiest(self, situation: Situation, used: dict[str, float]) -> str:
        unit = max(used, key=lambda unit: used[unit], default="")
        total = sum(used.values())
        if not unit or used[unit] < self.noisy_share * total or total == 0:
            raise CannotPlanError("no unit takes so much more than the others that it is to blame")
        mine = {component.unit for component in situation.components}
        if unit in mine:
            raise CannotPlanError(f"it is {unit} that takes most: a component, which is what the machine is for")
        if unit in situation.protected or unit in self.spare or unit.startswith(NEVER) or not is_unit(unit):
            raise CannotPlanError(f"it is {unit} that takes most, and that is left alone")
        return unit


async def _check_that_it_starves(unit: str | None, before: dict[str, float], host: Host) -> None:
    """Raises CannotPlanError for a component that is late for another reason, at once on a host where nobody waits."""
    if before.get("cpu", 0.0) >= STARVED_PERCENT:
        for load in await host.kernel.unit_loads():
            if load.unit == unit and (load.cpu_waited_percent or 0.0) >= STARVED_PERCENT:
                return
    raise CannotPlanError("it does not wait for a processor, so it is late for another reason")


async def _use(host: Host, resource: str) -> dict[str, float]:
    """How much every unit takes: processors, bytes of memory, or bytes read and written in a second."""
    first = {load.control_group: load for load in await host.kernel.unit_loads()}
    if resource == "memory":
        return {load.unit: float(load.memory_bytes) for load in first.values() if load.memory_bytes is not None}
    began_s = asyncio.get_running_loop().time()
    await asyncio.sleep(SAMPLE_S)
    later = await host.kernel.unit_loads()
    took_s = asyncio.get_running_loop().time() - began_s
    amounts = {load.unit: (_spent(load, resource), _spent(first.get(load.control_group), resource)) for load in later}
    return {unit: max(0.0, now - then) / took_s for unit, (now, then) in amounts.items() if None not in (now, then)}  # type: ignore[operator]


def _spent(load: UnitLoad | None, resource: str) -> float | None:
    if load is None:
        return None
    return load.cpu_s if resource == "cpu" else load.io_bytes


async def _more_tasks(situation: Situation, host: Host) -> Plan:
    unit = situation.workload().unit
    if unit is None:
        raise CannotPlanError(f"{situation.workload().name} is not a systemd unit")
    limits = await host.units.limits(unit)
    prior, usual = limits.values.get("TasksMax", NO_LIMIT), limits.default_tasks_max
    if not 0 < prior < usual < NO_LIMIT:
        raise CannotPlanError(f"{unit} may have as many tasks as is usual, or more: it has too many")
    if situation.attempts:
        raise CannotPlanError(f"more tasks were of no use to {unit}")
    value = min(usual, max(FEWEST_TASKS, RAISE_TASKS * prior))
    was_set = "TasksMax" in limits.set_until_boot
    findings = {"unit": unit, "prior": {"TasksMax": prior, "set_until_boot": was_set}, "usual": usual}
    return Plan(_step(unit, "TasksMax", value), findings=findings)


async def _more_ports(host: Host) -> Plan:
    prior = await host.kernel.sysctl(LOCAL_PORTS) or ""
    try:
        wider = with_usual_ports(prior)
    except ValueError as error:
        raise CannotPlanError(str(error)) from error
    if wider.split() == prior.split():
        raise CannotPlanError(f"{LOCAL_PORTS} is as wide as is usual already: {prior!r}")
    findings = {"setting": LOCAL_PORTS, "prior": prior, "usual": f"{USUAL_PORTS[0]} {USUAL_PORTS[1]}"}
    return Plan(Step(WriteSysctl(LOCAL_PORTS, wider), undo=ResetSysctl(LOCAL_PORTS)), findings=findings)


async def _pressures(host: Host) -> dict[str, float]:
    """How much of the last ten seconds something waited, by resource, in per cent."""
    found = {}
    for resource in ("cpu", "memory", "io"):
        try:
            found[resource] = (await host.kernel.pressure(resource)).some_avg10
        except ProbeError:  # a kernel without PSI
            continue
    return found


async def _components_waited(situation: Situation, host: Host) -> dict[str, float | None]:
    """How much of the last ten seconds the components waited for a processor, by unit."""
    units = {load.unit: load.cpu_waited_percent for load in await host.kernel.unit_loads()}
    return {one.unit: units[one.unit] for one in situation.components if one.unit in units}


def _step(unit: str, name: str, value: int) -> Step:
    return Step(SetUnitLimit(unit, name, value), undo=ResetUnitLimit(unit, name))
