"""Layer 3: has the uplink its known-good addresses?"""

import ipaddress
from typing import ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.host.known_good import gone_over_to
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe


class L3Addresses(Probe, frozen=True, kw_only=True):
    """Failing while the uplink has no address in a network that it was in when all was good.

    Another address of the same network does as well: a lease may bring a new one, and a floating one moves between
    hosts. The same address with another prefix length is in another network.

    A network is not missed when DHCP or a router's advertisement has put another in its place: a leased address of the
    same family that is in none of the old ones.
    """

    layer: ClassVar = Layer.NETWORK
    issue_types: ClassVar = ("address_missing",)
    reads_kernel_state: ClassVar = True

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls()

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return ("l1_carrier",)

    async def look(self, host: Host) -> Reading:
        good = host.known.good
        if not good.addresses:
            raise ProbeError("no address is known to be good yet")
        addresses = await host.netlink.addresses(good.uplink)
        present = [str(address) for address in addresses]
        networks = {_network(address) for address in present}
        missing = [address for address in good.addresses if _network(address) not in networks]
        if len(missing) < len(good.addresses):  # one of its own, as of a floating address, comes and goes
            missing = [address for address in missing if not _is_single(address)]
        were = {_network(address) for address in good.addresses}
        replaced = {":" in one.address for one in addresses if one.leased and _network(str(one)) not in were}
        missing = [address for address in missing if (":" in address) not in replaced]
        evidence = {"interface": good.uplink, "addresses": ", ".join(present) or "none"}
        if missing:
            if other := await gone_over_to(host.netlink, host.known):
                raise ProbeError(f"the default route goes by {other} now, so no address of {good.uplink} is missed")
            evidence["missing"] = ", ".join(missing)
        return Reading(ok=not missing, evidence=evidence)


def _network(address: str) -> str:
    return str(ipaddress.ip_interface(address).network)


def _is_single(address: str) -> bool:
    network = ipaddress.ip_interface(address).network
    return network.prefixlen == network.max_prefixlen
