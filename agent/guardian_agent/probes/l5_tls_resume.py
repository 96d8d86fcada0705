"""Layer 5: can a TLS session with the component be taken up again?"""

from typing import Any, ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.model import Component, Endpoint, Layer, Reading, Schedule
from guardian_agent.probes.base import Probe, reachable


class L5TlsResume(Probe, frozen=True, kw_only=True):
    """Failing when a second handshake does not take up the session of the first, although this server once did so;
    before it ever did, nobody can tell whether it is meant to."""

    layer: ClassVar = Layer.SESSION
    issue_types: ClassVar = ("session_not_resumed",)
    schedule: ClassVar = Schedule(interval_s=60.0, timeout_s=2.0)

    endpoint: Endpoint
    name: str | None = None
    answer_within_s: float = 2.0

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        certificate = component.certificate
        if certificate is None or certificate.endpoint is None:
            return None
        endpoint = reachable(certificate.endpoint)
        return cls(endpoint=endpoint, name=certificate.name, answer_within_s=schedule.timeout_s)

    def asks(self) -> str:
        return self.endpoint.host

    async def look(self, host: Host) -> Reading:
        answer = await host.clients.resumed(self.endpoint, self.answer_within_s, name=self.name)
        if not answer.answer.connected or answer.reason:
            raise ProbeError(f"no TLS session with {self.endpoint}: {answer.reason or 'no connection'}")
        evidence: dict[str, Any] = {"endpoint": str(self.endpoint), "version": answer.version}
        if not answer.resumed and not answer.ever:
            raise ProbeError(f"{self.endpoint} has not yet resumed a session, and may not be meant to")
        return Reading(ok=answer.resumed, evidence=evidence | {"resumed": answer.resumed})
