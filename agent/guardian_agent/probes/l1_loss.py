"""Layer 1: does the link to the gateway lose or delay what it carries?"""

import asyncio
from typing import Any, ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Echo, Host
from guardian_agent.host.reaching import answers, gateway_addresses
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe

SLOWER = 10.0  # times the round trip when all was good
FIRST_S = 0.5  # for one answer before the burst: what waits for a neighbour to be found is not slow because of the link


class L1Loss(Probe, frozen=True, kw_only=True):
    """Failing while of a burst of echo requests to the gateway a good part is lost (`packet_loss`), or those that are
    answered take very long (`high_latency`, also with loss: a queue that is full is both).

    A gateway that answers none of them is not judged here.
    """

    layer: ClassVar = Layer.PHYSICAL
    issue_types: ClassVar = ("packet_loss", "high_latency")
    schedule: ClassVar = Schedule(interval_s=10.0, timeout_s=1.0, confirm_interval_s=0.5)
    options: ClassVar = ("requests", "gap_s", "size_bytes", "lost_ratio", "slow_s")

    answer_within_s: float = 1.0
    requests: int = 10
    gap_s: float = 0.02
    size_bytes: int = 56
    lost_ratio: float = 0.3
    slow_s: float = 0.1

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls(answer_within_s=schedule.timeout_s)

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return ("l1_carrier", "l1_errors", "l3_addresses", "l3_default_route")

    async def look(self, host: Host) -> Reading:
        address = (await gateway_addresses(host.netlink, host.known))[0]
        await answers(host.packets, address, FIRST_S)
        async with asyncio.TaskGroup() as together:
            asked = [together.create_task(self._ask(host, address, number)) for number in range(self.requests)]
        echoes = [one.result() for one in asked]
        answered = sorted(echo.elapsed_s for echo in echoes if echo.answered)
        if not answered:
            raise ProbeError(f"{address} answers none of {self.requests} echo requests: of loss nothing can be told")
        lost, middle_s = self.requests - len(answered), answered[len(answered) // 2]
        evidence: dict[str, Any] = {
            "gateway": address,
            "requests": self.requests,
            "lost": lost,
            "median_s": round(middle_s, 5),
            "longest_s": round(answered[-1], 5),
            "median_when_good_s": host.known.good.gateway_rtt_s,
        }
        if middle_s > max(self.slow_s, SLOWER * host.known.good.gateway_rtt_s):
            return Reading(ok=False, issue_type="high_latency", evidence=evidence)
        return Reading(ok=lost < self.lost_ratio * self.requests, evidence=evidence)

    async def _ask(self, host: Host, address: str, number: int) -> Echo:
        await asyncio.sleep(number * self.gap_s)
        return await host.packets.echo(address, self.answer_within_s, size_bytes=self.size_bytes)
