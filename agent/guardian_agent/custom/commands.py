"""Probes and playbooks that are commands of the operator's: what is looked at and mended by running a program."""

import types
from typing import Any, ClassVar, Self

from guardian_agent.declared import DeclaredPlaybook, DeclaredProbe
from guardian_agent.errors import CannotPlanError, ProbeError
from guardian_agent.host import Host
from guardian_agent.host.operations import RunProgram
from guardian_agent.model import Component, Reading, Schedule, Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step
from guardian_agent.probes.base import Probe

OK, WARNING, CRITICAL = 0, 1, 2
LONGEST_LINE = 200
_MODULE = "guardian_agent.custom.declared"  # of the classes made here; its last word is their id


class CommandProbe(Probe, frozen=True, kw_only=True):
    """Failing while the declared command ends with 1 or 2, or does not end in time; with 3, or anything else, it could
    not tell. The last line that it writes is the evidence."""

    schedule: ClassVar = Schedule(timeout_s=3.0)  # programs take longer to start than packets to go
    declared: ClassVar[DeclaredProbe]

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    end_within_s: float

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        return cls._asking(component, schedule) if cls.declared.component == component.name else None

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls._asking(None, schedule) if cls.declared.component is None else None

    @classmethod
    def _asking(cls, component: Component | None, schedule: Schedule) -> Self:
        context = {"GUARDIAN_PROBE": cls.declared.id, **_of_component(component)}
        return cls(argv=cls.declared.command, environment=tuple(context.items()), end_within_s=schedule.timeout_s)

    async def look(self, host: Host) -> Reading:
        end = await host.processes.check(self.argv, self.end_within_s, dict(self.environment))
        said = end.output.rpartition("\n")[2][:LONGEST_LINE]
        evidence: dict[str, Any] = {"command": self.argv[0], "exit_code": end.exit_code, "said": said}
        if end.exit_code is None:
            return Reading(ok=False, evidence=evidence | {"reason": f"no end within {self.end_within_s:g} s"})
        if end.exit_code not in (OK, WARNING, CRITICAL):
            raise ProbeError(f"{self.argv[0]} could not tell: exit code {end.exit_code} {said}".strip())
        return Reading(ok=end.exit_code == OK, evidence=evidence)


class CommandPlaybook(Playbook, frozen=True, kw_only=True):
    """Runs the operator's own program, which mends; undone by another, where one is declared."""

    tier: ClassVar = Tier.AUTOMATIC
    declared: ClassVar[DeclaredPlaybook]

    @classmethod
    def summary(cls) -> str:
        return f"Runs {cls.declared.execute[0]}, which the operator declared."

    async def plan(self, situation: Situation, host: Host) -> Plan:
        declared, context = self.declared, _of_incident(situation, self.declared.id)
        if declared.check is not None:
            end = await host.processes.check(declared.check, declared.timeout_s, context)
            if end.exit_code != OK:
                said = end.output.rpartition("\n")[2][:LONGEST_LINE] or f"exit code {end.exit_code}"
                raise CannotPlanError(f"{declared.check[0]}: {said}")
        undo = RunProgram(declared.rollback, declared.timeout_s, context) if declared.rollback else None
        return Plan(Step(RunProgram(declared.execute, declared.timeout_s, context), undo=undo))


def probe_class(declared: DeclaredProbe) -> type[Probe]:
    """The declared command as a family member like any other."""
    inside = {"layer": declared.layer, "issue_types": (declared.issue_type,), "declared": declared}
    return _class(declared.id, CommandProbe, inside)


def playbook_class(declared: DeclaredPlaybook) -> type[Playbook]:
    """The declared command as a family member like any other."""
    return _class(declared.id, CommandPlaybook, {"heals": declared.heals, "declared": declared})


def _class(id_: str, base: type[Any], inside: dict[str, object]) -> type[Any]:
    name = "".join(word.capitalize() for word in id_.split("_"))
    namespace = {"__module__": f"{_MODULE}.{id_}", "__doc__": base.__doc__, **inside}
    return types.new_class(name, (base,), {"frozen": True, "kw_only": True}, lambda body: body.update(namespace))


def _of_component(component: Component | None) -> dict[str, str]:
    if component is None:
        return {}
    known = {"COMPONENT": component.name, "UNIT": component.unit, "LISTEN": component.listen}
    return {f"GUARDIAN_{name}": str(value) for name, value in known.items() if value is not None}


def _of_incident(situation: Situation, playbook_id: str) -> dict[str, str]:
    incident = situation.incident
    return {
        "GUARDIAN_PLAYBOOK": playbook_id,
        "GUARDIAN_INCIDENT": incident.incident_id,
        "GUARDIAN_TARGET": incident.target,
        "GUARDIAN_ISSUE_TYPE": incident.issue_type,
        "GUARDIAN_ATTEMPT": str(situation.attempts + 1),
        **_of_component(situation.component),
    }
