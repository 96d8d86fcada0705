"""Layer 4: how much of what this host sends has to be sent again?"""

from typing import ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import PATH, Probe

OVER_S = 30.0
TOO_MUCH = 0.1
FEWEST = 20  # below that, a single slow connection would decide


class L4Retransmissions(Probe, frozen=True, kw_only=True):
    """Failing while more than a tenth of the TCP segments sent in the last 30 s (and at least 20) were sent again.

    Not counted are those that only try to open a connection: to a host that is down they go on for ever, and tell
    nothing about the way. Unknown until a second look.
    """

    layer: ClassVar = Layer.TRANSPORT
    issue_types: ClassVar = ("retransmissions",)
    # A rate over 30 s does not change within milliseconds, so it is not confirmed as kernel state is.
    schedule: ClassVar = Schedule(interval_s=5.0)

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls()

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return PATH

    async def look(self, host: Host) -> Reading:
        tcp, extended = await host.kernel.counters("Tcp"), await host.kernel.counters("TcpExt")
        if "OutSegs" not in tcp or "RetransSegs" not in tcp:
            raise ProbeError("the kernel does not count TCP segments")
        counters = {"out": tcp["OutSegs"], "again": tcp["RetransSegs"], "syn_again": extended.get("TCPSynRetrans", 0)}
        grown = host.growth.of(self.probe_id(), counters, host.clock.now(), OVER_S)
        if grown is None:
            raise ProbeError("the first look: nothing to compare with yet")
        sent, again = grown.by["out"], grown.by["again"] - grown.by["syn_again"]
        bad = again >= FEWEST and again > TOO_MUCH * sent
        evidence = {"segments_sent": sent, "sent_again": again, "over_s": round(grown.seconds, 1)}
        return Reading(ok=not bad, evidence=evidence)
