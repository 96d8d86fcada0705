"""Layer 4: has this host's connection tracking room for new connections?"""

from typing import ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe

COUNT, LIMIT = "net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max"
FULL_SHARE = 0.95


class L4Conntrack(Probe, frozen=True, kw_only=True):
    """Failing while 95 % of the places for tracked connections are taken: soon the packets of new ones are dropped."""

    layer: ClassVar = Layer.TRANSPORT
    issue_types: ClassVar = ("conntrack_full",)
    reads_kernel_state: ClassVar = True

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls()

    async def look(self, host: Host) -> Reading:
        count, limit = await host.kernel.sysctl(COUNT), await host.kernel.sysctl(LIMIT)
        if count is None or limit is None:
            return Reading(ok=True, evidence={"tracked": 0, "reason": "connections are not tracked here"})
        if not count.strip().isdecimal() or not limit.strip().isdecimal():
            raise ProbeError(f"{COUNT} is {count!r}, {LIMIT} is {limit!r}")
        tracked, most = int(count), int(limit)
        full = most > 0 and tracked >= FULL_SHARE * most  # 0: no limit
        return Reading(ok=not full, evidence={"tracked": tracked, "limit": most})
