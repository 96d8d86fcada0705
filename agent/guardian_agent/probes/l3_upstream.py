"""Layer 3: does anything beyond the gateway answer?"""

import asyncio
from typing import Any, ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.host.known_good import uplink
from guardian_agent.host.reaching import answers, gateway_addresses, is_on_link
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import PATH, Probe

LEAST = 2  # addresses: of one, nobody can tell whether it is gone or the way to it


class L3Upstream(Probe, frozen=True, kw_only=True):
    """Failing while the gateway answers and none of the addresses does that matter here, lie beyond the link and were
    seen to answer.

    One address alone that was discovered may be down by itself, and is not judged: it takes two, or addresses that an
    operator has named. With a gateway that never answers echo requests, they are judged without it.
    """

    layer: ClassVar = Layer.NETWORK
    issue_types: ClassVar = ("upstream_unreachable",)
    schedule: ClassVar = Schedule(interval_s=5.0, timeout_s=2.0, confirm_interval_s=0.25)
    options: ClassVar = ("addresses",)

    answers_within_s: float = 2.0  # half of it the upstream's, half the gateway's
    addresses: tuple[str, ...] = ()  # none: those known good

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls(answers_within_s=schedule.timeout_s)

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return PATH[: PATH.index("l3_upstream")]

    async def look(self, host: Host) -> Reading:
        asked, within_s = await self._beyond_the_link(host), self.answers_within_s / 2
        echoes = await asyncio.gather(*(answers(host.packets, one, within_s) for one in asked))
        silent = [address for address, echo in zip(asked, echoes, strict=True) if not echo.answered]
        evidence: dict[str, Any] = {"asked": len(asked), "silent": ", ".join(silent)}
        if len(silent) < len(asked):
            return Reading(ok=True, evidence=evidence)
        reason = next((echo.reason for echo in echoes if echo.reason), f"no answer within {within_s:g} s")
        return Reading(ok=False, evidence=evidence | {"reason": reason, "gateway": await self._gateway(host)})

    async def _beyond_the_link(self, host: Host) -> list[str]:
        own = await host.netlink.addresses(await uplink(host.netlink, host.known))
        own_or_known = [*own, *host.known.good.addresses]
        asked = [one for one in self.addresses or host.known.good.upstream if not is_on_link(one, own_or_known)]
        if not asked:
            raise ProbeError("no address beyond the link is known to have answered")
        if len(asked) < LEAST and not self.addresses:
            raise ProbeError(f"only {asked[0]} beyond the link is known to have answered, and it may be down by itself")
        return asked

    async def _gateway(self, host: Host) -> str:
        """Which gateway answers; empty where none ever did."""
        addresses = await gateway_addresses(host.netlink, host.known)
        echoes = await asyncio.gather(*(answers(host.packets, one, self.answers_within_s / 2) for one in addresses))
        answering = [address for address, echo in zip(addresses, echoes, strict=True) if echo.answered]
        if not answering and (host.known.good.echoing_gateways or host.known.good.learned_at is None):
            raise ProbeError("the gateway does not answer, so what lies behind it cannot be told")
        return ", ".join(answering)
