"""Which of the names and addresses that probes ask are this host's own?"""

from collections.abc import Iterable

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.probes.base import crosses_network, is_name


class OwnAddresses:
    """What is sent to one of the host's own addresses goes by `lo`, whatever becomes of the wire.

    An address that was the uplink's when all was good stays the host's own: that it is gone is what then fails.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._present: dict[str, bool] = {}  # by address, as the kernel last said

    async def learn(self, asked: Iterable[str]) -> None:
        """Asks the kernel by which way it reaches each of these; what it cannot tell stays as it was."""
        for address in {one for name in asked if crosses_network(name) for one in self._addresses(name)}:
            try:
                way = await self._host.netlink.route_to(address)
            except ProbeError:
                continue
            self._present[address] = way is not None and way.interface == "lo"

    def __contains__(self, name: object) -> bool:
        known = {one.partition("/")[0] for one in self._host.known.good.addresses}
        addresses = self._addresses(str(name))
        return bool(addresses) and all(one in known or self._present.get(one, False) for one in addresses)

    def _addresses(self, name: str) -> tuple[str, ...]:
        return self._host.known.good.names.get(name, ()) if is_name(name) else (name,)
