"""How long may a packet be that gets to an address, and which route would say so?"""

import asyncio

import msgspec

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import Host, Packets, RouteEntry, Routing
from guardian_agent.host.deciding import decide
from guardian_agent.host.operations import AddRoute, DeleteRoute
from guardian_agent.host.protocols.routing import NOBODYS, STATIC
from guardian_agent.host.reaching import payload_bytes
from guardian_agent.playbooks.base import Plan, Situation, Step

LEAST_BYTES, LEAST_BYTES_V6 = 576, 1280  # what every host takes (RFC 1122, 3.3.2; RFC 8200, 5)
ECHO_S = 0.3
TRIES = 2  # at the same time
# Of ways that are narrower than the link, nearly all are one of these: Ethernet less PPPoE, GRE, IPIP, VXLAN, IPsec …
USUAL = (1492, 1480, 1476, 1450, 1440, 1420, 1400, 1380, 1280, 1200)


async def narrow_path(situation: Situation, host: Host, now: Routing) -> Plan:
    """A host route to the incident's address, the way it goes now and must, with what gets through.

    Raises:
        CannotPlanError: it goes another way than known good, or nothing longer than the least gets through.
        ProbeError: packets may not be sent, or routes not read.
    """
    evidence = situation.incident.evidence
    address, sent = str(evidence.get("address", "")), evidence.get("packet_bytes")
    wanted = host.known.good.routes.get(address)
    if wanted is None or not isinstance(sent, int):
        raise CannotPlanError(f"no way to {address or 'nobody'} is known to be good")
    way, decision = await host.netlink.route_to(address), decide(now, address)
    entry = decision.route
    modelled = decision.way()
    if way is None or not way.same_way(wanted) or entry is None or modelled is None or not modelled.same_way(wanted):
        raise CannotPlanError(f"{address} goes {way or 'no way'}, and not {wanted} as when all was good")
    announced = evidence.get("announced_mtu")
    size = await _gets_through(host.packets, address, sent, announced if isinstance(announced, int) else 0)
    own = f"{address}/{128 if entry.is_ipv6 else 32}"
    route = RouteEntry(
        destination=own,
        gateway=wanted.gateway or "",
        interface=wanted.interface,
        table=entry.table,
        metric=entry.metric if entry.is_ipv6 or entry.destination == own else 0,
        protocol=STATIC,
        scope=entry.scope,
        source=entry.source,
        mtu=size,
        onlink=entry.onlink,
    )
    found = {"address": address, "sent_bytes": sent, "gets_through_bytes": size}
    if entry.destination != own:
        return Plan(Step(AddRoute(route), undo=DeleteRoute(route)), findings=found)
    if entry.protocol in NOBODYS or not entry.whole:
        raise CannotPlanError(f"the route to {address} is not Guardian's to change: {entry}")
    route = msgspec.structs.replace(entry, mtu=size)
    replaced = [Step(DeleteRoute(entry), undo=AddRoute(entry)), Step(AddRoute(route), undo=DeleteRoute(route))]
    return Plan(*replaced, findings=found)


async def _gets_through(packets: Packets, address: str, sent: int, announced: int) -> int:
    """The longest whole packet that is answered, in bytes: the announced or a usual size where that is it."""
    good, bad = LEAST_BYTES_V6 if ":" in address else LEAST_BYTES, sent
    if not await _is_answered(packets, address, good):
        raise CannotPlanError(f"not even packets of {good} bytes get to {address}")
    guesses = sorted({size for size in (*USUAL, announced) if good < size < bad}, reverse=True)
    while bad - good > 1:
        within = [size for size in guesses if good < size < bad]
        size = announced if announced in within else within[len(within) // 2] if within else (good + bad) // 2
        if not within and good in guesses and not await _is_answered(packets, address, good + 1):
            break
        if await _is_answered(packets, address, size):
            good = size
        else:
            bad = size
    return good


async def _is_answered(packets: Packets, address: str, size: int) -> bool:
    asked = (packets.echo(address, ECHO_S, size_bytes=payload_bytes(address, size), whole=True) for _ in range(TRIES))
    return any(echo.answered for echo in await asyncio.gather(*asked))
