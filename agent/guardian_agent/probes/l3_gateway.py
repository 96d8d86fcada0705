"""Layer 3: does the gateway answer?"""

import asyncio
from typing import Any, ClassVar, Self

from guardian_agent.host import Host
from guardian_agent.host.reaching import answers, gateway_addresses
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import PATH, Probe


class L3Gateway(Probe, frozen=True, kw_only=True):
    """Failing while a gateway leaves several echo requests in a row unanswered. One that was never seen to answer is
    not judged where another was."""

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
        echoes = await asyncio.gather(*(answers(host.packets, one, self.answer_within_s) for one in addresses))
        judged = list(zip(addresses, echoes, strict=True))
        gateway, echo = next((one for one in judged if not one[1].answered), judged[0])
        evidence: dict[str, Any] = {"gateway": gateway, "elapsed_s": round(echo.elapsed_s, 5)}
        if echo.answered:
            return Reading(ok=True, evidence=evidence)
        reason = echo.reason or f"no answer within {self.answer_within_s:g} s"
        return Reading(ok=False, evidence=evidence | {"reason": reason})
