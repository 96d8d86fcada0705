"""Layer 7: does the component's gRPC health service say that it serves?"""

from typing import Any, ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import GrpcAnswer, Host
from guardian_agent.model import Component, Endpoint, Layer, Reading, Schedule
from guardian_agent.probes.base import Probe, reachable

# The server lives, and does not want to tell us.
NOT_TOLD = ("UNIMPLEMENTED", "UNAUTHENTICATED", "PERMISSION_DENIED")


class L7Grpc(Probe, frozen=True, kw_only=True):
    """Failing while the standard health service (grpc.health.v1) says anything but SERVING (`grpc_unhealthy`) or
    nothing in time (`service_hung`); a connection that does not come about has layer 4's issue types."""

    layer: ClassVar = Layer.APPLICATION
    issue_types: ClassVar = ("grpc_unhealthy", "service_hung", "connection_refused", "connection_timeout")

    endpoint: Endpoint
    service: str = ""
    answer_within_s: float = 1.0

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        health = component.health
        if health is None or health.grpc is None:
            return None
        return cls(endpoint=reachable(health.grpc), service=health.grpc_service, answer_within_s=schedule.timeout_s)

    def asks(self) -> str:
        return self.endpoint.host

    async def look(self, host: Host) -> Reading:
        answer = await host.clients.grpc_health(self.endpoint, self.service, self.answer_within_s)
        evidence: dict[str, Any] = {"endpoint": str(self.endpoint), "service": self.service}
        if answer.code == "OK" and answer.serving == "SERVING":
            return Reading(ok=True, evidence=evidence | {"serving": answer.serving})
        if answer.code in NOT_TOLD:
            raise ProbeError(f"{self.endpoint} does not tell: {answer.code} {answer.reason}")
        issue_type, reason = self._complaint(answer)
        return Reading(ok=False, issue_type=issue_type, evidence=evidence | {"reason": reason})

    def _complaint(self, answer: GrpcAnswer) -> tuple[str, str]:
        below = answer.answer
        if below.refused:
            return "connection_refused", "connection refused"
        if not below.connected:
            return "connection_timeout", below.unreachable or f"no connection within {self.answer_within_s:g} s"
        if answer.code == "DEADLINE_EXCEEDED":
            return "service_hung", f"connected, and no answer within {self.answer_within_s:g} s"
        return "grpc_unhealthy", answer.serving or f"{answer.code} {answer.reason}".strip()
