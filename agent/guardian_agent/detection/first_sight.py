"""What does this host look like now, as far as it matters whether it stays so?"""

import asyncio
import contextlib
import ipaddress
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from guardian_agent.detection.firewall import of_firewall
from guardian_agent.errors import ProbeError
from guardian_agent.host import FileState, Host, KnownGood, Route, Routing
from guardian_agent.host.dialling import resolve
from guardian_agent.host.escaped import escaped
from guardian_agent.host.name_files import NAME_FILES, KeptFile, kept_file, packages_as_of
from guardian_agent.host.reaching import payload_bytes
from guardian_agent.host.resolver import is_address, servers_in
from guardian_agent.model import Component, Endpoint

ECHO_S = 1.0
ROUND_TRIPS = 5
RESOLVE_S = 5.0
RESOLVER = "/etc/resolv.conf"
RESOLVED_STUBS = ("127.0.0.53", "127.0.0.54")  # systemd-resolved(8): they stand for the servers that it asks itself
RESOLVED = "/run/systemd/resolve/resolv.conf"
MOST_ADDRESSES = 16  # whose ways are kept


class Interests(msgspec.Struct, frozen=True):
    """What the configuration makes of interest: whom the host must reach, and which files it must have."""

    reached: tuple[str, ...] = ()  # host names and addresses
    components: tuple[Component, ...] = ()  # those that are well
    network: bool = True  # whether anybody compares the network with what was good
    release_after_s: dict[str, float] = {}  # by component: how long ago the link to a new release must have changed


async def sight(host: Host, interests: Interests, *, asking: bool = True) -> KnownGood:
    """All that is kept of what is good, as it is now. Changes nothing, and takes some seconds; without `asking` nobody
    is sent anything: it reads this host's own state only, and who answers stays as it was known.

    What cannot be told now stays as it was known.

    Raises:
        ProbeError: not even the links can be told.
    """
    known = host.known.good
    if not interests.network:
        return msgspec.structs.replace(known, **await _of_this_host(host, interests, asking))
    route = await host.netlink.default_route()
    link = await host.netlink.link(route.interface) if route else None
    if route is None or link is None:  # a host without a default route: nothing of its network is compared
        return msgspec.structs.replace(known, **await _of_this_host(host, interests, asking))
    gateways = await host.netlink.default_routes()
    servers = await name_servers(host)
    names = await _resolved(interests.reached) if asking else known.names
    reached = known.names | names  # a name that does not resolve now is of as much interest as before
    wanted = [*await _beyond_the_stub(host, servers), *(address for found in reached.values() for address in found)]
    addresses = await host.netlink.addresses(link.name)
    routes = await _routes(host, [a for a in dict.fromkeys(wanted) if not _is_local(a)][:MOST_ADDRESSES])
    beyond = [address for address, way in routes.items() if way.gateway is not None]
    answering = await _who_answers(host, gateways, beyond, link.mtu) if asking else {}
    return msgspec.structs.replace(
        known,
        uplink=link.name,
        mtu=link.mtu,
        addresses=tuple(str(address) for address in addresses if address.lasting),
        default_routes=tuple(gateways),
        routes=routes,
        neighbours=await _neighbours(host, gateways),
        routing=await _routing(host, {link.name, *(one.interface for one in (*gateways, *routes.values()))}),
        name_servers=servers,
        names=names,
        **answering,
        **await _of_this_host(host, interests, asking),
    )


async def _who_answers(host: Host, gateways: Iterable[Route], beyond: Sequence[str], mtu: int) -> dict[str, Any]:
    echoing = await _answering(host, [route.gateway for route in gateways if route.gateway])
    upstream = await _answering(host, beyond)
    return {
        "echoing_gateways": echoing,
        "gateway_rtt_s": await _round_trip_s(host, echoing),
        "path_mtus": await _path_mtus(host, mtu, upstream),
        "upstream": upstream,
    }


async def _beyond_the_stub(host: Host, servers: tuple[str, ...]) -> tuple[str, ...]:
    """The servers that are asked in the end, where systemd-resolved stands between."""
    if not any(server in RESOLVED_STUBS for server in servers):
        return servers
    return (*servers, *await name_servers(host, RESOLVED))


async def name_servers(host: Host, path: str = RESOLVER) -> tuple[str, ...]:
    """The addresses in the resolver's configuration (resolv.conf(5)), in their order."""
    try:
        text = await host.files.text(path)
    except ProbeError:
        return ()
    return servers_in(text)


async def _of_this_host(host: Host, interests: Interests, asking: bool) -> dict[str, Any]:
    """What is kept of the firewall, of file systems, and of releases and declared files of components that are well."""
    good = host.known.good
    with contextlib.suppress(ProbeError):
        mounted = await host.files.file_systems()
        good = msgspec.structs.replace(good, file_systems={each.mount: not each.read_only for each in mounted})
    with contextlib.suppress(ProbeError):
        good = msgspec.structs.replace(good, packages_as_of=await packages_as_of(host.files))
    releases, files = dict(good.releases), dict(good.files)
    for component in interests.components:
        with contextlib.suppress(ProbeError):
            link = await host.files.state(component.releases.current) if component.releases else None
            after_s = interests.release_after_s.get(component.name, 0.0) if component.name in releases else 0.0
            told = link is not None and link.kind == "link" and escaped(link.target) == link.target
            if link is not None and told and (not after_s or _age_s(host, link) >= after_s):
                releases[component.name] = link.target
        for artifact in component.artifacts:
            with contextlib.suppress(ProbeError):
                files[artifact.path] = await host.files.sha256(artifact.path)
    return {
        "file_systems": good.file_systems,
        "name_files": await _name_files(host),
        "packages_as_of": good.packages_as_of,
        "releases": releases,
        "files": files,
        **(await of_firewall(host) if asking else {}),
    }


async def _name_files(host: Host) -> dict[str, KeptFile]:
    """Those that are there; one that cannot be read, or is too big to be kept, is not kept."""
    found = {}
    for path in NAME_FILES:
        with contextlib.suppress(ProbeError):
            if (there := await kept_file(host.files, path)) is not None:
                found[path] = there
    return found


def _age_s(host: Host, link: FileState) -> float:
    return (host.clock.now().wall_ns - link.modified_wall_ns) / 1e9


async def _round_trip_s(host: Host, gateways: Sequence[str]) -> float:
    """The median round trip to the first of the gateways, in seconds; 0.0 when none answers."""
    if not gateways:
        return 0.0
    echoes = [await host.packets.echo(gateways[0], ECHO_S) for _ in range(ROUND_TRIPS)]
    answered = sorted(echo.elapsed_s for echo in echoes if echo.answered)
    return answered[len(answered) // 2] if answered else 0.0


async def _path_mtus(host: Host, mtu: int, addresses: Iterable[str]) -> dict[str, int]:
    """The addresses to which whole packets of the link's own size get through, with that size."""
    found = {}
    for address in addresses:
        echo = await host.packets.echo(address, ECHO_S, size_bytes=payload_bytes(address, mtu), whole=True)
        if echo.answered:
            found[address] = mtu
    return found


async def _routes(host: Host, addresses: Iterable[str]) -> dict[str, Route]:
    found = {}
    for address in addresses:
        way = await host.netlink.route_to(address)
        if way is not None and not way.discards:
            found[address] = way
    return found


async def _routing(host: Host, interfaces: Collection[str]) -> Routing | None:
    """What can be put back of the interfaces that matter: those of containers and tunnels come and go. On a router with
    thousands of routes it stays as it was known."""
    try:
        return (await host.netlink.routing()).lasting(interfaces)
    except ProbeError:
        return host.known.good.routing


async def _neighbours(host: Host, gateways: Iterable[Route]) -> dict[str, str]:
    found = dict(host.known.good.neighbours)
    for route in gateways:
        entry = await host.netlink.neighbour(route.gateway, route.interface) if route.gateway else None
        if entry is not None and entry.mac:
            found[entry.address] = entry.mac
    return {address: mac for address, mac in found.items() if any(route.gateway == address for route in gateways)}


async def _answering(host: Host, addresses: Sequence[str]) -> tuple[str, ...]:
    """Those that answer echo requests; none where none may be sent."""
    try:
        echoes = await asyncio.gather(*(host.packets.echo(address, ECHO_S) for address in addresses))
    except ProbeError:
        return ()
    return tuple(address for address, echo in zip(addresses, echoes, strict=True) if echo.answered)


async def _resolved(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The addresses of each name; one that does not resolve in time is left out."""
    found: dict[str, tuple[str, ...]] = {}
    for name in dict.fromkeys(names):
        if is_address(name):
            found[name] = (name,)
            continue
        try:
            async with asyncio.timeout(RESOLVE_S):
                answers = await resolve(Endpoint(name, 0))
        except (OSError, TimeoutError):
            continue
        found[name] = tuple(sorted({str(address[0]) for _, address in answers}))
    return found


def _is_local(address: str) -> bool:
    plain = ipaddress.ip_address(address.partition("%")[0])
    return plain.is_loopback or plain.is_link_local or plain.is_unspecified
