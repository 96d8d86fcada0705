"""Host: does the component still beat?"""

from typing import Any, ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.model import Component, Layer, Reading, Schedule
from guardian_agent.probes.base import RESOURCES, Probe

JUMP_S = 1.0  # the time of day was set by more: then ages of files say nothing until the next beat


class HostHeartbeat(Probe, frozen=True, kw_only=True):
    """Failing while the file that the component touches is missing, or was last touched too long ago."""

    layer: ClassVar = Layer.HOST
    issue_types: ClassVar = ("heartbeat_lost",)
    reads_kernel_state: ClassVar = True
    schedule: ClassVar = Schedule(interval_s=1.0, confirm_interval_s=0.1)

    file: str
    max_age_s: float

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        beat = component.heartbeat
        return cls(file=beat.file, max_age_s=beat.max_age_s) if beat else None

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return RESOURCES

    def remembers_s(self) -> float:
        return self.max_age_s

    async def look(self, host: Host) -> Reading:
        now = host.clock.now()  # before the look: however late this agent is, a beat is not older than it looks
        leapt_s = host.drift.leapt_s(now, self.max_age_s)
        beat = await host.files.state(self.file)
        evidence: dict[str, Any] = {"file": self.file, "max_age_s": self.max_age_s}
        if beat is None:
            return Reading(ok=False, evidence=evidence | {"reason": "missing"})
        if beat.kind == "link":
            raise ProbeError(f"{self.file} is a link; a heartbeat is a file")
        age_s = (now.wall_ns - beat.modified_wall_ns) / 1e9
        if abs(age_s) > self.max_age_s and abs(leapt_s) > JUMP_S:
            raise ProbeError(f"the clock was set by {leapt_s:+.1f} s: the age of {self.file} cannot be told")
        if age_s < -self.max_age_s:
            raise ProbeError(f"{self.file} was touched {-age_s:.0f} s from now, says its date")
        return Reading(ok=age_s <= self.max_age_s, evidence=evidence | {"age_s": round(age_s, 3)})
