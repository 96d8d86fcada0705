"""Layer 2: has another host on the link one of this host's addresses?"""

import asyncio
from typing import Any, ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, NoNeighboursError
from guardian_agent.host.known_good import uplink
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe

MOST = 8  # addresses that are asked for: each question goes to every host on the link


class L2DuplicateAddress(Probe, frozen=True, kw_only=True):
    """Failing while another MAC answers for one of the uplink's lasting addresses (ARP probe, RFC 5227), or the kernel
    has found that one of its addresses is taken (RFC 4862)."""

    layer: ClassVar = Layer.DATA_LINK
    issue_types: ClassVar = ("duplicate_address",)
    schedule: ClassVar = Schedule(interval_s=15.0, timeout_s=0.5, confirm_interval_s=0.5)

    answer_within_s: float = 0.5

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls(answer_within_s=schedule.timeout_s)

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return ("l1_carrier",)

    async def look(self, host: Host) -> Reading:
        interface = await uplink(host.netlink, host.known)
        addresses = await host.netlink.addresses(interface)
        evidence: dict[str, Any] = {"interface": interface}
        if found := next((one for one in addresses if one.duplicate), None):
            return Reading(ok=False, evidence=evidence | {"address": found.address, "found_by": "the kernel"})
        lasting = [one.address for one in addresses if one.lasting]
        if not lasting:
            raise ProbeError(f"{interface} has no address that another host could have too")
        asked = lasting[:MOST]
        try:
            answers = await asyncio.gather(
                *(host.packets.owners(address, interface, self.answer_within_s, own=True) for address in asked)
            )
        except NoNeighboursError:
            return Reading(ok=True, evidence=evidence | {"why": "nobody has to be asked for on this link"})
        for address, macs in zip(asked, answers, strict=True):
            if macs:
                return Reading(ok=False, evidence=evidence | {"address": address, "also_at": ", ".join(macs)})
        evidence |= {"asked_for": len(asked), "not_asked_for": len(lasting) - len(asked)}
        return Reading(ok=True, evidence=evidence)
