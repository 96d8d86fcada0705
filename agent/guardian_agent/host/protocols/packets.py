"""What comes back when single packets are sent: echo requests, and questions for who has an address?"""

from typing import Protocol

import msgspec

from guardian_agent.errors import ProbeError


class Echo(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one echo request (ICMP, ICMPv6)."""

    answered: bool
    elapsed_s: float = 0.0
    reason: str = ""  # why not: "host unreachable by 198.18.0.1", "packet too big", "no route" …; empty: silence
    mtu: int | None = None  # of the way: what the narrow place on it says, else what this host's kernel takes it for


class NoNeighboursError(ProbeError):
    """A link on which nobody is asked who has an address: point to point, without ARP, not like Ethernet."""


class Packets(Protocol):
    """Raw packets. Need CAP_NET_RAW (echo: or net.ipv4.ping_group_range); each raises ProbeError without it."""

    async def echo(self, address: str, timeout_s: float, *, size_bytes: int = 56, whole: bool = False) -> Echo:
        """One echo request with `size_bytes` of payload, to ADDRESS or, link-local, to ADDRESS%INTERFACE. `whole`: it
        may not be fragmented, and is sent although the kernel may remember a narrower path (IP_PMTUDISC_PROBE)."""

    async def owners(self, address: str, interface: str, timeout_s: float, *, own: bool = False) -> list[str]:
        """The MACs that say they have an address on that link (ARP, RFC 5227; NDP, RFC 4861), in the order of their
        answers. `own`: ask as for a duplicate of one's own address and wait the whole time; else the first answer is
        enough. This host's own MACs are never among them. Raises NoNeighboursError where the link has none."""
