"""Sets a corrupt file aside and puts a good copy of it in its place."""

import hashlib
import os
import re
from typing import Any, ClassVar

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import Host
from guardian_agent.host.artifacts import complaint_of
from guardian_agent.host.operations import PutBackArtifact, QuarantineArtifact, StartCommand, StopCommand
from guardian_agent.host.operations.artifacts import QUARANTINE
from guardian_agent.host.questions import JudgeCopy
from guardian_agent.model import Artifact, Component, Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step
from guardian_agent.playbooks.unit_restart import plan_unit_restart

LONGEST_NAME = 100
MD5_ALONE = "the package's MD5: it shows damage, and is no proof against an attacker; the copy is one of root's own"


class QuarantineArtifacts(Playbook, frozen=True):
    """Sets every corrupt file of a component aside, puts its good copy in its place, and restarts the component.

    What runs has read the bad file, or will fail to; a reload would do for some files of some services and never for a
    program, so it is a restart. A file without a good copy is left: setting it aside alone would take the service away.
    """

    heals: ClassVar = ("artifact_corrupt",)
    tier: ClassVar = Tier.ONE_APPROVER

    async def plan(self, situation: Situation, host: Host) -> Plan:
        component = situation.workload()
        findings: dict[str, Any] = {}
        steps = []
        for artifact in component.artifacts:
            if (complaint := await complaint_of(host.files, artifact)) is None:
                continue
            step = await self._replacement(host, artifact)
            steps.append(step)
            proof = "its declared SHA-256" if artifact.sha256 else MD5_ALONE
            findings[artifact.path] = complaint | {"copy_proven_by": proof, "kept_in": QUARANTINE}
        if not steps:
            raise CannotPlanError(f"every file of {component.name} is as declared")
        restart = await _restart(host, component, situation.attempts)
        return Plan(*steps, *restart.steps, findings=findings, postconditions=restart.postconditions)

    async def _replacement(self, host: Host, artifact: Artifact) -> Step:
        path = artifact.path
        if artifact.good_copy is None:
            raise CannotPlanError(f"{path} has no good_copy to be put in its place")
        there = await host.files.state(path)
        if there is not None and there.kind not in ("file", "link"):
            raise CannotPlanError(f"{path} is a {there.kind}")
        copy = await host.ask(JudgeCopy(path, artifact.good_copy, artifact.sha256))
        if copy.complaint:
            raise CannotPlanError(copy.complaint)
        found = "" if there is None else there.target or await host.files.sha256(path)
        kept = _kept_as(path, found)
        do = QuarantineArtifact(path, artifact.good_copy, kept, artifact.sha256)
        return Step(do, undo=PutBackArtifact(path, kept))


def _kept_as(path: str, found: str) -> str:
    """A name in the quarantine that people recognise, and the same however often it is asked for."""
    readable = re.sub(r"[^A-Za-z0-9._-]", "-", path[-LONGEST_NAME:]).lstrip(".-")
    return f"{readable}-{hashlib.sha256(os.fsencode(f'{path} {found}')).hexdigest()[:12]}"


async def _restart(host: Host, component: Component, attempts: int) -> Plan:
    if component.unit:
        ports = ("l4_listen",) if component.listen else ()
        return await plan_unit_restart(
            host, component.unit, attempts=attempts, kill=False, drain=component.drain, postconditions=ports
        )
    if component.command:
        stop = StopCommand(component.name, component.stop_grace_s)
        return Plan(Step(stop), Step(StartCommand(component.name, component.command)))
    return Plan()
