"""Host: is one of the component's secrets about to get too old?"""

from typing import Any, ClassVar, Self

from guardian_agent.host import Host
from guardian_agent.model import Component, Layer, Reading, Schedule, Secret
from guardian_agent.probes.base import Probe

DAY_S = 86400


class HostSecret(Probe, frozen=True, kw_only=True):
    """Failing while a declared secret is missing, or has less than a tenth of its life left."""

    layer: ClassVar = Layer.HOST
    issue_types: ClassVar = ("secret_expiring",)
    schedule: ClassVar = Schedule(interval_s=60.0, confirm_interval_s=1.0)

    secrets: tuple[Secret, ...]

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        return cls(secrets=component.secrets) if component.secrets else None

    async def look(self, host: Host) -> Reading:
        oldest: tuple[float, dict[str, Any]] = (-1.0, {})
        for secret in self.secrets:
            evidence: dict[str, Any] = {"path": secret.path, "max_age_days": round(secret.max_age_s / DAY_S, 3)}
            there = await host.files.state(secret.path)
            if there is None:
                return Reading(ok=False, evidence=evidence | {"reason": "missing"})
            age_s = (host.clock.now().wall_ns - there.modified_wall_ns) / 1e9
            evidence["age_days"] = round(age_s / DAY_S, 3)
            oldest = max(oldest, (age_s / secret.max_age_s, evidence), key=lambda each: each[0])
        share, evidence = oldest
        return Reading(ok=share < Secret.RENEWED_AT, evidence=evidence | {"secrets": len(self.secrets)})
