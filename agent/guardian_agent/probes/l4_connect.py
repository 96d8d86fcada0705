"""Layer 4: can a TCP connection be made?"""

from typing import Any, ClassVar, Self

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import Answer, Host, Listener
from guardian_agent.model import Component, Endpoint, Layer, Reading, Schedule
from guardian_agent.probes.base import Probe, crosses_network, reachable

# A packet that this host itself stops shows when it is sent again, which is after 1 s.
SENT_AGAIN_S = 1.0
FIRST_ANSWER_S = 0.5


class L4Connect(Probe, frozen=True, kw_only=True):
    """Failing while a connection is refused (`connection_refused`) or does not come about in time
    (`connection_timeout`), and as `firewall_block` where only a packet filter of this host can be why: for an own
    endpoint somebody listens all the while with room in the queue; what goes to another host never leaves this one.

    Asks a component at its own port, where its clients ask, and a remote dependency at its address.
    """

    layer: ClassVar = Layer.TRANSPORT
    issue_types: ClassVar = ("connection_refused", "connection_timeout", "firewall_block")

    endpoint: Endpoint
    connect_within_s: float = 1.0
    component: str = ""  # empty: a remote dependency

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        if component.listen is None:
            return None
        return msgspec.structs.replace(cls.for_endpoint(component.listen, schedule), component=component.name)

    @classmethod
    def for_endpoint(cls, endpoint: Endpoint, schedule: Schedule) -> Self:
        """This probe of any endpoint; a wildcard address is asked on loopback, and another host may take longer by
        half a second, in which a first packet that was lost is sent again."""
        asked = reachable(endpoint)
        longer_s = FIRST_ANSWER_S if crosses_network(asked.host) and schedule.timeout_s >= SENT_AGAIN_S else 0.0
        return cls(endpoint=asked, connect_within_s=schedule.timeout_s + longer_s)

    def asks(self) -> str:
        return self.endpoint.host

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        below = super().rests_on(issue_type)
        if issue_type == "connection_timeout" and crosses_network(self.endpoint.host):
            return (*below, "l4_ports")  # without a port to send from there is no connection either
        return below

    async def look(self, host: Host) -> Reading:
        before = await self._listeners(host)
        answer = await host.sockets.connect(self.endpoint, self.connect_within_s)
        evidence: dict[str, Any] = {"endpoint": str(self.endpoint), "elapsed_s": round(answer.elapsed_s, 4)}
        if answer.connected:
            return Reading(ok=True, evidence=evidence)
        evidence["reason"] = self._reason(answer)
        if answer.dropped_here:
            evidence["filtered"] = "what this host sends there does not leave it"
            return Reading(ok=False, issue_type="firewall_block", evidence=evidence)
        if before and (answer.refused or answer.timed_out) and _same(before, await self._listeners(host)):
            evidence |= {"filtered": "somebody listens, with room in the queue", "backlog": before[0].backlog}
            return Reading(ok=False, issue_type="firewall_block", evidence=evidence)
        issue_type = "connection_refused" if answer.refused else "connection_timeout"
        return Reading(ok=False, issue_type=issue_type, evidence=evidence)

    def _reason(self, answer: Answer) -> str:
        if answer.refused:
            return "connection refused"
        return answer.unreachable or f"no connection within {self.connect_within_s:g} s"

    async def _listeners(self, host: Host) -> list[Listener]:
        """Who listens here; nobody where the endpoint is not this host's, or that cannot be told."""
        try:
            if crosses_network(self.endpoint.host):
                way = await host.netlink.route_to(self.endpoint.host)
                if way is None or way.interface != "lo":
                    return []
            return await host.sockets.listeners(host.known.listens_at(self.component, self.endpoint))
        except ProbeError:
            return []


def _same(before: list[Listener], after: list[Listener]) -> bool:
    """Whether the same sockets have listened, and none of them ever had to turn a connection away."""
    room = all(one.backlog < one.backlog_limit for one in (*before, *after))
    return room and {one.inode for one in before} == {one.inode for one in after}
