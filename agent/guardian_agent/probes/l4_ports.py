"""Layer 4: has this host ports left to open connections from?"""

import contextlib
import re
from typing import Any, ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe

RANGE = "net.ipv4.ip_local_port_range"
REUSE = "net.ipv4.tcp_tw_reuse"
FULL_SHARE = 0.95
WORTH_COUNTING_SHARE = 0.8  # with fewer sockets than that in all, no destination can have more
SOCKETS = re.compile(r"^TCP6?: inuse (\d+)(?:.* tw (\d+))?", re.MULTILINE)


class L4Ports(Probe, frozen=True, kw_only=True):
    """Failing while at least 95 % of the local ports are in use towards one address and port of another host: a port
    may serve many destinations, but each of them once."""

    layer: ClassVar = Layer.TRANSPORT
    issue_types: ClassVar = ("port_exhaustion",)
    schedule: ClassVar = Schedule(interval_s=5.0)
    reads_kernel_state: ClassVar = True

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls()

    async def look(self, host: Host) -> Reading:
        low, high = await _range(host)
        count = high - low + 1
        sockets = await _sockets(host)
        evidence: dict[str, Any] = {"local_ports": count, "sockets": sockets}
        if sockets < WORTH_COUNTING_SHARE * count:
            return Reading(ok=True, evidence=evidence)
        # With 1 the kernel takes a port again that only waits for stragglers (ip-sysctl).
        most = await host.sockets.outgoing(low, high, time_wait=await host.kernel.sysctl(REUSE) != "1")
        evidence |= {"most_used": most.ports, "towards": str(most.to) if most.to else None}
        return Reading(ok=most.ports < FULL_SHARE * count, evidence=evidence)


async def _range(host: Host) -> tuple[int, int]:
    said = (await host.kernel.sysctl(RANGE) or "").split()
    if len(said) != 2 or not all(word.isdecimal() for word in said):
        raise ProbeError(f"{RANGE} is {' '.join(said)!r}")
    return int(said[0]), int(said[1])


async def _sockets(host: Host) -> int:
    """How many TCP sockets there are, those that only wait for stragglers included (those of IPv6 with IPv4's)."""
    text = await host.files.text("/proc/net/sockstat")
    with contextlib.suppress(ProbeError):  # a kernel without IPv6
        text += "\n" + await host.files.text("/proc/net/sockstat6")
    if not (found := SOCKETS.findall(text)):
        raise ProbeError("/proc/net/sockstat does not tell how many TCP sockets there are")
    return sum(int(in_use) + int(waiting or 0) for in_use, waiting in found)
