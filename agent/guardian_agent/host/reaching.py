"""Where are a gateway and this host's neighbours, and does an address answer at all?"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterable

from guardian_agent.errors import ProbeError
from guardian_agent.host.known_good import Known, gateways
from guardian_agent.host.protocols.netlink import Netlink, Route
from guardian_agent.host.protocols.packets import Echo, Packets
from guardian_agent.model import Reading

HEADERS_BYTES, HEADERS_BYTES_V6 = 20 + 8, 40 + 8  # of IP and ICMP
TRIES = 4  # of a look: at 10 % loss each way one look in 770 finds a living address silent


async def answers(packets: Packets, address: str, within_s: float) -> Echo:
    """The first answer to up to four echo requests, evenly spread over `within_s`, each of them waited for to the end;
    without one, what came of the last. Raises ProbeError."""
    began_s = asyncio.get_running_loop().time()
    asked: set[asyncio.Task[Echo]] = set()
    last = Echo(answered=False)
    try:
        for number in range(TRIES):
            now_s = asyncio.get_running_loop().time()
            asked.add(asyncio.create_task(packets.echo(address, began_s + within_s - now_s)))
            next_s = began_s + within_s * (number + 1) / TRIES
            while (left_s := next_s - asyncio.get_running_loop().time()) > 0:
                if not asked:
                    await asyncio.sleep(left_s)
                    break
                done, asked = await asyncio.wait(asked, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    last = one.result() if one.result().reason or one.result().answered else last
                if last.answered:
                    return last
    finally:
        for one in asked:
            one.cancel()
    return last


async def gateway_addresses(netlink: Netlink, known: Known) -> list[str]:
    """The gateways as echo requests are sent to them: a link-local one with its interface (RFC 4007, 11). Those that
    are known to answer none are left out where others do. Raises ProbeError."""
    routes = [route for route in await gateways(netlink, known) if route.gateway]
    routes = [route for route in routes if route.gateway in known.good.echoing_gateways] or routes
    return list(
        dict.fromkeys(
            f"{route.gateway}%{route.interface}" if is_link_local(route.gateway or "") else route.gateway or ""
            for route in routes
        )
    )


def payload_bytes(address: str, packet_bytes: int) -> int:
    """What an echo request to an address carries when the packet is to be so long."""
    return packet_bytes - (HEADERS_BYTES_V6 if ":" in address else HEADERS_BYTES)


def is_link_local(address: str) -> bool:
    return ":" in address and ipaddress.IPv6Address(address.partition("%")[0]).is_link_local


def is_on_link(address: str, own: Iterable[object]) -> bool:
    """Whether an address is in the network of one of `own`, each written ADDRESS/PREFIX. Raises ProbeError."""
    try:
        one = ipaddress.ip_address(address)
        return any(one in ipaddress.ip_interface(str(network)).network for network in own)
    except ValueError as error:
        raise ProbeError(str(error)) from error


async def worst_of_gateways(
    netlink: Netlink, known: Known, look: Callable[[str, Route], Awaitable[Reading]]
) -> Reading:
    """What `look(gateway, route)` sees at each gateway: a bad one if there is any, else the first that can be told.

    Raises:
        ProbeError: there is none, or of none anything can be told.
    """
    seen: list[Reading] = []
    unknown: list[ProbeError] = []
    for route in await gateways(netlink, known):
        try:
            seen.append(await look(route.gateway or "", route))
        except ProbeError as error:
            unknown.append(error)
    if not seen:
        raise unknown[0]
    return next((reading for reading in seen if not reading.ok), seen[0])
