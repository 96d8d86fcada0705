"""Layer 5: does a connection to the component live, and does the component still answer over it?"""

from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from guardian_agent.errors import ProbeError
from guardian_agent.host import Answer, Held, Host
from guardian_agent.host.known_good import uplink
from guardian_agent.model import Component, Endpoint, Layer, Reading, Schedule
from guardian_agent.probes.base import Probe, crosses_network

HOLD_S = 1.5
WILDCARDS = ("0.0.0.0", "::")


class L5Session(Probe, frozen=True, kw_only=True):
    """Failing when a connection that was good is reset, is silent or gives no proper answer after 1.5 s, while a new
    one is good.

    A component with an HTTP health check is asked twice over the same connection; of any other the kernel asks whether
    it still knows the connection (TCP keep-alive). One that listens on every address is asked at an address that
    others use: what cuts sessions often spares loopback. A server that says that it will close is taken at its
    word, and one that ends an idle connection in an orderly way may do so (RFC 9112, 9.5).
    """

    layer: ClassVar = Layer.SESSION
    lingers: ClassVar = True
    issue_types: ClassVar = ("session_dropped",)
    schedule: ClassVar = Schedule(  # a look takes three answers and the time of silence
        interval_s=10.0, timeout_s=4.0, confirm_interval_s=1.0
    )

    endpoint: Endpoint  # where it listens
    url: str | None = None
    hold_s: float = HOLD_S
    answer_within_s: float = 1.0

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        url = component.health.http if component.health else None
        if component.listen is None and url is None:
            return None
        return cls(
            endpoint=component.listen or _endpoint(url or ""),
            url=url,
            answer_within_s=max(0.1, min(1.0, (schedule.timeout_s - HOLD_S) / 2)),
        )

    def asks(self) -> str:
        return self.endpoint.host

    async def look(self, host: Host) -> Reading:
        through = await self._through(host)
        before = await self._servers(host)
        held = await self._held(host, through)
        evidence: dict[str, Any] = {"at": through or self.url or str(self.endpoint)}
        if not held.answer.connected or held.answer.broken or (self.url and held.answer.status is None):
            raise ProbeError(f"no session to hold: {_why(held.answer)}")
        if held.not_held:
            return Reading(ok=True, evidence=evidence | {"not_held": held.not_held})
        evidence["held_s"] = round(held.held_s, 2)
        if not held.broken:
            return Reading(ok=True, evidence=evidence)
        if not await self._fresh_one_is_good(host, through):
            raise ProbeError(f"a held connection was lost ({held.broken}), but a new one is no better")
        if before and before.isdisjoint(await self._servers(host)):
            raise ProbeError(f"a held connection was lost ({held.broken}) since the server was started anew")
        return Reading(ok=False, evidence=evidence | {"reason": held.broken})

    async def _held(self, host: Host, through: str | None) -> Held:
        if self.url is not None:
            return await host.clients.hold_page(self.url, self.answer_within_s, self.hold_s, through=through)
        return await host.clients.hold(self._reachable(through), self.answer_within_s, self.hold_s)

    async def _servers(self, host: Host) -> set[int]:
        """The sockets that listen, by inode: a server that is started anew has others."""
        return {listener.inode for listener in await host.sockets.listeners(self.endpoint)}

    async def _fresh_one_is_good(self, host: Host, through: str | None) -> bool:
        if self.url is not None:
            page = await host.clients.page(self.url, self.answer_within_s, through=through)
            return page.answer.status is not None
        return (await host.sockets.connect(self._reachable(through), self.answer_within_s)).connected

    def _reachable(self, through: str | None) -> Endpoint:
        return Endpoint(through, self.endpoint.port) if through else self.endpoint

    async def _through(self, host: Host) -> str | None:
        """An own address that others use, where the component listens on all of them; None: the one that is set."""
        if self.endpoint.host not in WILDCARDS or (self.url and crosses_network(urlsplit(self.url).hostname or "")):
            return None
        loopback = "127.0.0.1" if self.endpoint.host == "0.0.0.0" else "::1"
        try:
            own = await host.netlink.addresses(await uplink(host.netlink, host.known))
        except ProbeError:
            return loopback  # a host without a network has sessions with itself only
        family = ":" in self.endpoint.host
        return next((one.address for one in own if one.lasting and (":" in one.address) == family), loopback)


def _endpoint(url: str) -> Endpoint:
    parts = urlsplit(url)
    return Endpoint(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))


def _why(answer: Answer) -> str:
    if not answer.connected:
        return "connection refused" if answer.refused else answer.unreachable or "no connection"
    return answer.broken or "no answer"
