"""Layer 3: does the gateway answer?"""

import asyncio
from typing import Any, ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.host.reaching import answers, gateway_addresses
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import PATH, Probe


class L3Gateway(Probe, frozen=True, kw_only=True):
    """Failing while a gateway that used to answer echo requests leaves several in a row unanswered, and nothing that
    was known to answer beyond it does either.

    A gateway that forwards need not answer itself. One that was never seen to answer is not judged.
    """

    layer: ClassVar = Layer.NETWORK
    issue_types: ClassVar = ("gateway_unreachable",)
    schedule: ClassVar = Schedule(interval_s=2.0, timeout_s=1.0, confirm_interval_s=0.1)

    answer_within_s: float = 1.0

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls(answer_within_s=schedule.timeout_s)

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return PATH[: PATH.index("l3_routes")]

    async def look(self, host: Host) -> Reading:
        addresses = await gateway_addresses(host.netlink, host.known)
        asked = {one: asyncio.ensure_future(answers(host.packets, one, self.answer_within_s)) for one in addresses}
        try:
            await asyncio.wait(asked.values(), timeout=self.answer_within_s / 2)
            late = [one for one, task in asked.items() if not task.done()]
            forwarded = await self._answering_beyond(host, late)
            await asyncio.gather(*asked.values())
        finally:
            for task in asked.values():
                task.cancel()
        silent = [one for one, task in asked.items() if not task.result().answered]
        unexplained = [one for one in silent if (":" in one) not in forwarded]
        judged = [one for one in unexplained if one.partition("%")[0] in host.known.good.echoing_gateways]
        gateway = (judged or unexplained or silent or addresses)[0]
        echo = asked[gateway].result()
        evidence: dict[str, Any] = {"gateway": gateway, "elapsed_s": round(echo.elapsed_s, 5)}
        if not unexplained:
            through = forwarded.get(":" in gateway) if gateway in silent else None
            return Reading(ok=True, evidence=evidence | ({"silent_but_forwards_to": through} if through else {}))
        if not judged:
            raise ProbeError(f"{gateway} does not answer, and was not known to answer when all was good")
        reason = echo.reason or f"no answer within {self.answer_within_s:g} s"
        return Reading(ok=False, evidence=evidence | {"reason": reason})

    async def _answering_beyond(self, host: Host, silent: list[str]) -> dict[bool, str]:
        """Who beyond the gateways answers, for the families (whether IPv6) of those that are silent so far."""
        families = {":" in gateway for gateway in silent}
        asked = [one for one in host.known.good.upstream if (":" in one) in families]
        asked = [one for one in asked if await self._goes_by_a_gateway(host, one)]
        within_s = self.answer_within_s / 2
        echoes = await asyncio.gather(*(answers(host.packets, one, within_s) for one in asked))
        return {":" in one: one for one, echo in zip(asked, echoes, strict=True) if echo.answered}

    async def _goes_by_a_gateway(self, host: Host, address: str) -> bool:
        way = await host.netlink.route_to(address)
        gateways = [route.gateway for route in await host.netlink.default_routes()]
        return way is not None and way.gateway is not None and way.gateway in gateways and address not in gateways
