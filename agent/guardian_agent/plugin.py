"""What a probe or a playbook of yours may use. What stands here stays; what is not here may change with any version.

See docs/write-a-probe.md and docs/write-a-playbook.md.
"""

from guardian_agent.errors import CannotPlanError, ProbeError
from guardian_agent.host import Host
from guardian_agent.host.operations import (
    KillUnit,
    Operation,
    ResetFailedUnit,
    RestartUnit,
    RunProgram,
    StartUnit,
    StopUnit,
)
from guardian_agent.model import Component, Endpoint, Incident, Layer, Reading, Schedule, Tier
from guardian_agent.playbooks.base import Beside, Plan, Playbook, Situation, Step
from guardian_agent.probes.base import Probe

__all__ = [
    "Beside",
    "CannotPlanError",
    "Component",
    "Endpoint",
    "Host",
    "Incident",
    "KillUnit",
    "Layer",
    "Operation",
    "Plan",
    "Playbook",
    "Probe",
    "ProbeError",
    "Reading",
    "ResetFailedUnit",
    "RestartUnit",
    "RunProgram",
    "Schedule",
    "Situation",
    "StartUnit",
    "Step",
    "StopUnit",
    "Tier",
]
