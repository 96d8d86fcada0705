"""Layer 4: can a TCP connection be made?"""

from typing import ClassVar, Self

from guardian_agent.host import Host
from guardian_agent.model import Component, Endpoint, Layer, Reading, Schedule
from guardian_agent.probes.base import Probe

LOOPBACK_OF_WILDCARD = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class L4Connect(Probe, frozen=True, kw_only=True):
    """Failing while a connection is refused (`connection_refused`) or does not come about in time
    (`connection_timeout`).

    Asks a component at its own port, and a remote dependency at its address.
    """

    layer: ClassVar = Layer.TRANSPORT
    issue_types: ClassVar = ("connection_refused", "connection_timeout")

    endpoint: Endpoint
    connect_within_s: float = 1.0

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        return cls.for_endpoint(component.listen, schedule) if component.listen else None

    @classmethod
    def for_endpoint(cls, endpoint: Endpoint, schedule: Schedule) -> Self:
        """This probe of any endpoint; a wildcard address is asked on loopback."""
        reachable = Endpoint(LOOPBACK_OF_WILDCARD.get(endpoint.host, endpoint.host), endpoint.port)
        return cls(endpoint=reachable, connect_within_s=schedule.timeout_s)

    async def look(self, host: Host) -> Reading:
        answer = await host.sockets.connect(self.endpoint, self.connect_within_s)
        evidence = {"endpoint": str(self.endpoint), "elapsed_s": round(answer.elapsed_s, 4)}
        if answer.connected:
            return Reading(ok=True, evidence=evidence)
        if answer.refused:
            return Reading(ok=False, issue_type="connection_refused", evidence=evidence)
        evidence["reason"] = answer.unreachable or f"no connection within {self.connect_within_s:g} s"
        return Reading(ok=False, issue_type="connection_timeout", evidence=evidence)
