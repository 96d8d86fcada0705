"""What a host looks like at this moment, subject by subject, in lines for people. Secrets are still in them."""

import socket
import struct
from collections.abc import Sequence

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, KnownGood, Link, Route
from guardian_agent.model import Component
from guardian_agent.playbooks.base import Situation
from guardian_agent.playbooks.redaction import redact_argv

MOST_PROCESSES = 15
MOST_LISTENERS = 100


async def units(situation: Situation, host: Host) -> list[str]:
    """The component's own, the other components', and what systemd holds for failed."""
    first = [situation.component] if situation.component else []
    declared = [one.unit for one in (*first, *situation.components) if one.unit]
    lines = []
    for unit in dict.fromkeys([*declared, *await host.units.failed()]):
        state = await host.units.state(unit)
        job = f", {state.job_type or 'a job'} pending" if state.job_id else ""
        lines.append(
            f"{unit}: {state.load_state}, {state.active_state} ({state.sub_state}), result {state.result or 'none'}, "
            f"{state.restarts} automatic restarts{job}"
        )
    return lines


async def looks(situation: Situation) -> list[str]:
    """What the probes of the incident's target saw last."""
    lines = []
    for probe_id, look in situation.looker.looks().items():
        seen = ", ".join(f"{key} {value}" for key, value in look.reading.evidence.items()) if look.reading else ""
        state = {True: "good", False: "bad", None: "cannot tell"}[look.ok]
        lines.append(f"{probe_id}: {state}: {seen or look.unknown}")
    return lines


async def sockets(host: Host) -> list[str]:
    """Who listens, and how long the queues are; the fullest first."""
    found = sorted(await host.sockets.listening(), key=lambda one: (-one.backlog, one.endpoint.port))
    lines = [
        f"{one.endpoint}: uid {one.uid}, {one.backlog} of at most {one.backlog_limit} wait for accept"
        for one in found[:MOST_LISTENERS]
    ]
    return lines + await _text(host, "/proc/net/sockstat")


async def processes(host: Host) -> list[str]:
    """The greediest, without their environment, and the secrets out of their words."""
    return [
        f"{one.pid} {one.name} ({one.status}): {one.cpu_percent:g} % of a processor, "
        f"{one.resident_bytes / 1e6:.1f} MB: {redact_argv(one.argv) or 'no words'}"
        for one in await host.processes.busiest(MOST_PROCESSES)
    ]


async def pressure(host: Host) -> list[str]:
    """How long tasks wait for memory, processors and disks, and how much memory there is."""
    lines = []
    for resource in ("cpu", "memory", "io"):
        now = await host.kernel.pressure(resource)
        lines.append(f"{resource}: some wait {now.some_avg10:g} % of 10 s, {now.some_avg60:g} % of 60 s; all "
                     f"{now.full_avg10:g} %, {now.full_avg60:g} %")  # fmt: skip
    memory = await host.kernel.memory()
    lines.append(f"memory: {_mb(memory.available_bytes)} of {_mb(memory.total_bytes)} available")
    lines.append(f"swap: {_mb(memory.swap_free_bytes)} of {_mb(memory.swap_total_bytes)} free")
    return lines + [f"load: {line}" for line in await _text(host, "/proc/loadavg")]


async def disks(host: Host) -> list[str]:
    """The file systems: room and inodes."""
    return [
        f"{one.mount} ({one.kind}{', read-only' if one.read_only else ''}): {_mb(one.available_bytes)} of "
        f"{_mb(one.size_bytes)} available, {one.inodes_available} of {one.inodes} inodes"
        for one in await host.files.file_systems()
    ]


async def network(host: Host) -> list[str]:
    """Links, addresses, routes, neighbours, the resolver, and what differs from what was good."""
    lines = [
        *await _links(host),
        *[f"default route: {route}" for route in await host.netlink.default_routes()],
        *[f"route: {line}" for line in _routes(await _text(host, "/proc/net/route"))],
        *[f"neighbour: {' '.join(line.split())}" for line in (await _text(host, "/proc/net/arp"))[1:]],
        *[f"resolver: {line}" for line in await _text(host, "/etc/resolv.conf") if not line.startswith("#")],
    ]
    return lines + [f"not as when it was good: {line}" for line in await _changed(host, host.known.good)]


async def _links(host: Host) -> list[str]:
    names = [line.partition(":")[0].strip() for line in await _text(host, "/proc/net/dev") if ":" in line]
    lines = []
    for name in dict.fromkeys([*names, *([host.known.good.uplink] if host.known.good.uplink else [])]):
        link = await host.netlink.link(name, counters=True)
        addresses = ", ".join(map(str, await host.netlink.addresses(name))) if link else ""
        lines.append(f"link {name}: {_link(link)}{', ' if addresses else ''}{addresses}")
    return lines


def _link(link: Link | None) -> str:
    if link is None:
        return "does not exist"
    state = f"{'up' if link.admin_up else 'down'}, {'carrier' if link.carrier else 'no carrier'}, MTU {link.mtu}"
    if (counts := link.counters) is None:
        return state
    lost = (counts.rx_errors, counts.tx_errors, counts.rx_dropped, counts.tx_dropped)
    return f"{state}, errors {lost[0]} in {lost[1]} out, dropped {lost[2]} in {lost[3]} out"


def _routes(lines: Sequence[str]) -> list[str]:
    """The main table's IPv4 routes. Source: proc_pid_net(5), route."""
    found = []
    for line in lines[1:]:
        interface, to, gateway, _flags, _ref, _use, metric, mask, *_ = [*line.split(), *[""] * 8]
        try:
            length = int(mask, 16).bit_count()
            found.append(f"{_dotted(to)}/{length} via {_dotted(gateway)} dev {interface} metric {metric}")
        except ValueError:
            continue
    return found


def _dotted(text: str) -> str:
    return socket.inet_ntoa(struct.pack("=I", int(text, 16)))


async def _changed(host: Host, good: KnownGood) -> list[str]:
    if good.learned_at is None:
        return ["nothing is known to be good yet"]
    now = await host.netlink.default_routes()
    lines = [f"default route {route} is gone" for route in good.default_routes if not _among(route, now)]
    present = {str(address) for address in await host.netlink.addresses(good.uplink)}
    lines += [f"address {address} is gone from {good.uplink}" for address in good.addresses if address not in present]
    for address, route in good.routes.items():
        way = await host.netlink.route_to(address)
        if way is None or not way.same_way(route):
            lines.append(f"the way to {address} was {route} and is {way or 'none'}")
    for address, mac in good.neighbours.items():
        neighbour = await host.netlink.neighbour(address, good.uplink)
        if neighbour is not None and neighbour.mac not in (None, mac):
            lines.append(f"gateway {address} was at {mac} and is at {neighbour.mac}")
    return lines


def _among(route: Route, others: Sequence[Route]) -> bool:
    return any(route.same_way(other) for other in others)


async def _text(host: Host, path: str) -> list[str]:
    try:
        return (await host.files.text(path)).splitlines()
    except ProbeError:
        return []


def units_of(component: Component | None, components: Sequence[Component]) -> list[str]:
    """The units whose journals matter: the component's own, or else those of all."""
    asked = [component] if component and component.unit else components
    return [one.unit for one in asked if one.unit]


def _mb(count: int) -> str:
    return f"{count / 1e6:.0f} MB"
