"""Layer 7: is the component's own check content?"""

import ipaddress
from typing import Any, ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.model import Component, Layer, Reading, Schedule
from guardian_agent.probes.base import RESOURCES, SLOWNESS, Probe, path_below

OK, WARNING, CRITICAL = 0, 1, 2
LONGEST_LINE = 200


def is_far(word: str) -> bool:
    """Whether a word of a command is an address beyond this host's loopback: what it asks crosses the network."""
    try:
        return not ipaddress.ip_address(word).is_loopback
    except ValueError:
        return False


class L7Command(Probe, frozen=True, kw_only=True):
    """Failing while the declared command ends with 1 or 2 (`check_failed`), or does not end in time
    (`service_hung`: whoever it asks does not answer). With any other exit code it could not tell.
    """

    layer: ClassVar = Layer.APPLICATION
    issue_types: ClassVar = ("check_failed", "service_hung")
    schedule: ClassVar = Schedule(timeout_s=3.0)  # programs take longer to start than packets to go

    argv: tuple[str, ...]
    end_within_s: float = 3.0

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        health = component.health
        if health is None or health.command is None:
            return None
        return cls(argv=health.command, end_within_s=schedule.timeout_s)

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        shortages = RESOURCES if issue_type in SLOWNESS else ()
        return (*path_below(issue_type), *shortages) if any(is_far(word) for word in self.argv) else shortages

    async def look(self, host: Host) -> Reading:
        end = await host.processes.check(self.argv, self.end_within_s)
        said = end.output.rpartition("\n")[2][:LONGEST_LINE]
        evidence: dict[str, Any] = {"command": self.argv[0], "exit_code": end.exit_code, "said": said}
        if end.exit_code is None:
            reason = f"no end within {self.end_within_s:g} s"
            return Reading(ok=False, issue_type="service_hung", evidence=evidence | {"reason": reason})
        if end.exit_code not in (OK, WARNING, CRITICAL):
            raise ProbeError(f"{self.argv[0]} could not tell: exit code {end.exit_code} {said}".strip())
        return Reading(ok=end.exit_code == OK, evidence=evidence)
