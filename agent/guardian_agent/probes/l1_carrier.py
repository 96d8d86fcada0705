"""Layer 1: is the uplink up, with a carrier that stays?"""

from typing import Any, ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.host.known_good import gone_over_to, uplink
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe

FLAPS_WITHIN_S = 10.0


class L1Carrier(Probe, frozen=True, kw_only=True):
    """Failing while the uplink is administratively down or without carrier (`link_down`), or while its carrier comes
    and goes (`link_flapping`).

    The uplink is the interface of the default route when all was good, or the one that is configured. It is not missed
    once the default route goes by another that has a carrier: whether that was meant is asked by `l3_default_route`.
    """

    layer: ClassVar = Layer.PHYSICAL
    issue_types: ClassVar = ("link_down", "link_flapping")
    reads_kernel_state: ClassVar = True
    options: ClassVar = ("interface", "most_changes")

    interface: str | None = None
    most_changes: int = 4  # of the carrier within ten seconds: down and up twice

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls()

    async def look(self, host: Host) -> Reading:
        name = self.interface or host.known.good.uplink or await uplink(host.netlink, host.known)
        reading = await self._judge(host, name)
        if not reading.ok and self.interface is None and (other := await gone_over_to(host.netlink, host.known)):
            raise ProbeError(f"the default route goes by {other} now, so {name} is the uplink no more")
        return reading

    async def _judge(self, host: Host, name: str) -> Reading:
        if (link := await host.netlink.link(name)) is None:
            if self.interface or host.known.good.uplink:
                return Reading(ok=False, evidence={"interface": name, "present": False})
            raise ProbeError(f"there is no interface {name}")
        evidence: dict[str, Any] = {"interface": name, "admin_up": link.admin_up, "carrier": link.carrier}
        changes = {"carrier_changes": link.carrier_changes}
        grown = host.growth.of(f"carrier/{name}", changes, host.clock.now(), FLAPS_WITHIN_S)
        if grown and grown.by["carrier_changes"]:
            evidence["carrier_changes"] = grown.by["carrier_changes"]
        if grown and grown.by["carrier_changes"] >= self.most_changes:
            return Reading(
                ok=False, issue_type="link_flapping", evidence=evidence | {"within_s": round(grown.seconds, 1)}
            )
        return Reading(ok=link.admin_up and link.carrier, evidence=evidence)
