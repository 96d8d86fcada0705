"""Layer 3: do whole packets of the size that this host sends get through?"""

import asyncio
from typing import Any, ClassVar, Self

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.host.known_good import uplink
from guardian_agent.host.reaching import payload_bytes
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import PATH, Probe

TRIES = 2


class L3PathMtu(Probe, frozen=True, kw_only=True):
    """Failing while of the packets to an address the long ones are lost twice and the short ones are answered, each
    time; or while somebody on the way says that they are too long, and this host goes on sending them.

    As long as the kernel would send them there now, by its routes and by what it was told, and as was seen to get
    through. A narrow way that is announced and heeded is no fault.
    """

    layer: ClassVar = Layer.NETWORK
    issue_types: ClassVar = ("path_mtu",)
    schedule: ClassVar = Schedule(interval_s=15.0, timeout_s=2.0, confirm_interval_s=0.25)
    options: ClassVar = ("addresses",)

    answers_within_s: float = 2.0
    addresses: tuple[str, ...] = ()  # none: those known good

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls(answers_within_s=schedule.timeout_s)

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return PATH[: PATH.index("l3_upstream")]

    async def look(self, host: Host) -> Reading:
        addresses = self.addresses or host.known.good.upstream
        if not addresses:
            raise ProbeError("no address beyond the link is known to have answered")
        link = await host.netlink.link(await uplink(host.netlink, host.known))
        if link is None:
            raise ProbeError("the uplink is gone")
        ways = await asyncio.gather(*(self._way(host, address, link.mtu) for address in addresses))
        judged = [way for way in ways if way is not None]
        if not judged:
            raise ProbeError("no upstream address answers every short packet, so nothing can be told of long ones")
        way = next((way for way in judged if way.reason), judged[0])
        evidence: dict[str, Any] = {"address": way.address, "packet_bytes": way.packet_bytes}
        evidence["path_mtu_when_good"] = host.known.good.path_mtus.get(way.address)
        if way.announced_bytes is not None:
            evidence["announced_mtu"] = way.announced_bytes
        if way.reason:
            return Reading(ok=False, evidence=evidence | {"reason": way.reason})
        return Reading(ok=True, evidence=evidence)

    async def _way(self, host: Host, address: str, link_mtu: int) -> "_Way | None":
        """What becomes of whole packets to an address; None where short ones are lost too."""
        each_s = self.answers_within_s / (2 * TRIES)
        announced: int | None = None
        for _ in range(TRIES):
            short = await host.packets.echo(address, each_s)
            if not short.answered:
                return None
            in_use = min(short.mtu or link_mtu, link_mtu)
            size = min(in_use, host.known.good.path_mtus.get(address, in_use))
            long = await host.packets.echo(address, each_s, size_bytes=payload_bytes(address, size), whole=True)
            if long.answered:
                return _Way(address, size, announced)
            if long.reason and (long.mtu is None or long.mtu >= size):
                return None  # it was refused for another cause than its length
            if long.reason:
                announced = long.mtu
        if announced is not None:
            return _Way(address, size, announced, "the way is said to be narrower, and this host does not heed it")
        return _Way(address, size, announced, "long packets are lost without a word, short ones are answered")


class _Way(msgspec.Struct, frozen=True):
    address: str
    packet_bytes: int
    announced_bytes: int | None
    reason: str = ""
