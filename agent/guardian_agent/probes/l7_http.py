"""Layer 7: does the component answer HTTP as it should?"""

from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from guardian_agent.host import Answer, Host
from guardian_agent.model import Component, Layer, Reading, Schedule
from guardian_agent.probes.base import Probe


class L7Http(Probe, frozen=True, kw_only=True):
    """Failing while a GET is not answered with an expected status in time.

    A server that takes the connection and then says nothing is `service_hung`; a wrong status, or something that is
    not HTTP, is `http_error`; a connection that does not come about has layer 4's issue types.
    """

    layer: ClassVar = Layer.APPLICATION
    issue_types: ClassVar = ("http_error", "service_hung", "connection_refused", "connection_timeout")
    schedule: ClassVar = Schedule(interval_s=1.0)

    url: str
    expect_status: tuple[int, ...] = (200,)
    answer_within_s: float = 1.0

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        health = component.health
        if health is None or health.http is None:
            return None
        return cls(url=health.http, expect_status=health.expect_status, answer_within_s=schedule.timeout_s)

    def asks(self) -> str:
        return urlsplit(self.url).hostname or ""

    async def look(self, host: Host) -> Reading:
        answer = await host.sockets.http_get(self.url, self.answer_within_s)
        evidence: dict[str, Any] = {"url": self.url, "elapsed_s": round(answer.elapsed_s, 4)}
        if answer.status in self.expect_status:
            return Reading(ok=True, evidence=evidence | {"status": answer.status})
        issue_type, reason = self._complaint(answer)
        return Reading(ok=False, issue_type=issue_type, evidence=evidence | {"status": answer.status, "reason": reason})

    def _complaint(self, answer: Answer) -> tuple[str, str]:
        if answer.refused:
            return "connection_refused", "connection refused"
        if not answer.connected:
            return "connection_timeout", answer.unreachable or f"no connection within {self.answer_within_s:g} s"
        if answer.status is not None:
            return "http_error", f"status {answer.status}, expected {' or '.join(map(str, self.expect_status))}"
        if answer.broken:
            return "http_error", answer.broken
        return "service_hung", f"connected, and no answer within {self.answer_within_s:g} s"
