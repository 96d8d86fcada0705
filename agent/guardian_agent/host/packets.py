"""Single packets, sent and answered."""

import socket

from guardian_agent.errors import ProbeError
from guardian_agent.host import Echo, arp, icmp, ndp
from guardian_agent.host.netlink import LocalNetlink
from guardian_agent.host.raw_sockets import own_macs


class LocalPackets:
    """Raw sockets of this network namespace: one a question, for some 0.05 ms, so that looks at the same time need no
    lock and nothing is open between them; a filter in the kernel lets nothing in but the answer."""

    def __init__(self) -> None:
        self._netlink = LocalNetlink()

    def close(self) -> None:
        """Nothing is open between questions."""

    async def echo(self, address: str, timeout_s: float, *, size_bytes: int = 56, whole: bool = False) -> Echo:
        """One echo request; what the kernel or a router says against it is a reason, no exception. Raises ProbeError
        where this process may not ask, or for what is no address."""
        return await icmp.echo(address, timeout_s, size_bytes=size_bytes, whole=whole)

    async def owners(self, address: str, interface: str, timeout_s: float, *, own: bool = False) -> list[str]:
        """Those that answer. The MAC that the kernel knows is asked first, alone: a question to all wakes every host on
        the link. Raises ProbeError, NoNeighboursError where the link has none."""
        try:
            socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
        except OSError as error:
            raise ProbeError(f"no IP address: {address!r}") from error
        if ":" in address:
            macs = await ndp.owners(address, interface, timeout_s, own=own)
        else:
            entry = None if own else await self._netlink.neighbour(address, interface)
            known_mac = entry.mac if entry else None
            macs = await arp.owners(address, interface, timeout_s, own=own, known_mac=known_mac)
        ours = own_macs() if macs else set()
        return [mac for mac in macs if mac not in ours]
