"""Layer 6: is the component's certificate good, will it stay so, and do clients accept it?"""

from typing import Any, ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, Presented
from guardian_agent.host.certificates import not_after
from guardian_agent.model import Certificate, Component, Layer, Reading, Schedule
from guardian_agent.probes.base import Probe, reachable

DAY_S = 86400.0


class L6Certificate(Probe, frozen=True, kw_only=True):
    """Failing while the certificate has expired or will within `warn_days` (`certificate_expiring`), in its file or as
    it is presented; while clients refuse the one presented (`certificate_wrong`: for another name, of an unknown
    authority, or with its chain cut); while no handshake comes about (`tls_failed`)."""

    layer: ClassVar = Layer.PRESENTATION
    issue_types: ClassVar = ("certificate_expiring", "certificate_wrong", "tls_failed")
    schedule: ClassVar = Schedule(interval_s=10.0, timeout_s=2.0, confirm_interval_s=1.0)

    certificate: Certificate
    answer_within_s: float = 2.0

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        if component.certificate is None:
            return None
        return cls(certificate=component.certificate, answer_within_s=schedule.timeout_s)

    def asks(self) -> str:
        return self.certificate.endpoint.host if self.certificate.endpoint else ""

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return super().rests_on(issue_type) if issue_type == "tls_failed" else ()

    async def look(self, host: Host) -> Reading:
        evidence: dict[str, Any] = {"file": self.certificate.file}
        try:
            until_s = not_after(await host.files.text(self.certificate.file))
        except ValueError as error:
            return Reading(ok=False, issue_type="certificate_wrong", evidence=evidence | {"reason": str(error)})
        evidence["days_left"] = _days(host, until_s)
        expiring = evidence["days_left"] < self.certificate.warn_days
        if self.certificate.endpoint is None or evidence["days_left"] < 0:
            return Reading(ok=not expiring, issue_type="certificate_expiring" if expiring else None, evidence=evidence)
        endpoint = self.certificate.endpoint
        asked = reachable(endpoint)
        presented = await host.clients.presented(
            asked, self.answer_within_s, name=self.certificate.name, ca_file=self.certificate.ca_file
        )
        return self._judged(host, presented, evidence | {"endpoint": str(asked)})

    def _judged(self, host: Host, presented: Presented, evidence: dict[str, Any]) -> Reading:
        if not presented.answer.connected:
            if evidence["days_left"] < self.certificate.warn_days:
                return Reading(ok=False, issue_type="certificate_expiring", evidence=evidence)
            raise ProbeError(f"no connection to {evidence['endpoint']}")
        if presented.not_after_wall_s is None:
            problems = {"expired": "certificate_expiring", "not_trusted": "certificate_wrong"}
            issue_type = problems.get(presented.problem, "tls_failed")
            return Reading(ok=False, issue_type=issue_type, evidence=evidence | {"reason": presented.reason})
        evidence["days_left_presented"] = _days(host, presented.not_after_wall_s)
        if min(evidence["days_left"], evidence["days_left_presented"]) < self.certificate.warn_days:
            return Reading(ok=False, issue_type="certificate_expiring", evidence=evidence)
        return Reading(ok=True, evidence=evidence)


def _days(host: Host, until_wall_s: float) -> float:
    return round((until_wall_s - host.clock.now().wall_ns / 1e9) / DAY_S, 2)
