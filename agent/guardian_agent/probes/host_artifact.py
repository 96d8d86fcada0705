"""Host: are the component's files those that were installed?"""

from typing import ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.host.artifacts import complaint_of
from guardian_agent.model import Artifact, Component, Layer, Reading, Schedule
from guardian_agent.probes.base import Probe


class HostArtifact(Probe, frozen=True, kw_only=True):
    """Failing while a declared file is missing, is no file any more, or has another content than was declared or than
    its package brought.

    A file that cannot be judged (unreadable, or dpkg is at work) hides no other that is bad.
    """

    layer: ClassVar = Layer.HOST
    issue_types: ClassVar = ("artifact_corrupt",)
    schedule: ClassVar = Schedule(interval_s=10.0, timeout_s=10.0, confirm_interval_s=1.0)  # big files take their time

    artifacts: tuple[Artifact, ...]

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        return cls(artifacts=component.artifacts) if component.artifacts else None

    async def look(self, host: Host) -> Reading:
        unknown: ProbeError | None = None
        for artifact in self.artifacts:
            try:
                complaint = await complaint_of(host.files, artifact)
            except ProbeError as error:
                unknown = error
                continue
            if complaint:
                return Reading(ok=False, evidence={"path": artifact.path, **complaint})
        if unknown is not None:
            raise unknown
        return Reading(ok=True, evidence={"artifacts": len(self.artifacts)})
