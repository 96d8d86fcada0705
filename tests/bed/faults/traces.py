"""What a fault might leave behind: the state of a machine that faults touch, as text to compare."""

import asyncio

from tests.bed.commands import Finished
from tests.bed.faults.fault import Scene
from tests.bed.host import Host

# Nothing in them changes by itself: no counters, no ages, no neighbour entries.
HOST = (
    "ip -o -br link show",
    "ip -o -br address show",
    "ip route show table all type unicast",
    "ip route show type blackhole",
    "ip route show type unreachable",
    "ip rule show",
    "ip neigh show nud permanent",
    "nft --stateless list ruleset",
    "sysctl net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.core.somaxconn",
    "cat /etc/resolv.conf /etc/hosts",
    "readlink /srv/shop/current",
    "sha256sum /var/www/html/index.nginx-debian.html /usr/sbin/nginx",
    "find {folders} -printf %M:%u:%g:%p:%l\\n",
    "find {folders} -type f -exec sha256sum {} +",
    "systemctl --failed --no-legend --plain",
    "systemctl show --property=ActiveState --value {units}",
    "df --output=iused /srv/shop/data",
)
# Configuration: what is there, whose it is, and its content. When it was written does not matter.
FOLDERS = (
    *("/etc/systemd/system", "/run/systemd/system", "/srv/shop/releases"),
    *("/etc/nginx", "/etc/redis", "/etc/haproxy", "/etc/dnsmasq.d", "/etc/postgresql"),
)
ROUTER = (
    "ip -o -br link show",
    "ip -o -br address show",
    "ip route show",
    "nft --stateless list ruleset",
    "tc qdisc show",
    "sysctl net.ipv4.ip_forward",
)


async def traces(scene: Scene, units: tuple[str, ...]) -> dict[str, str]:
    """The present state, by machine and command."""
    hosts = (scene.host, scene.other)
    found = await asyncio.gather(*(_of_host(host, units) for host in hosts), _of_router(scene))
    return {key: text for part in found for key, text in part.items()}


async def _of_host(host: Host, units: tuple[str, ...]) -> dict[str, str]:
    commands = [
        command.replace("{units}", " ".join(units)).replace("{folders}", " ".join(FOLDERS)).split() for command in HOST
    ]
    done = await asyncio.gather(*(host.exec(*command) for command in commands))
    return {f"{host.name}: {' '.join(each.argv[1:])}": _in_order(each) for each in done}


def _in_order(done: Finished) -> str:
    """A folder lists its files in no order of its own."""
    return "\n".join(sorted(done.out.splitlines())) if "find" in done.argv else done.out


async def _of_router(scene: Scene) -> dict[str, str]:
    done = await asyncio.gather(*(scene.router.exec(*command.split()) for command in ROUTER))
    return {f"router: {command}": each.out for command, each in zip(ROUTER, done, strict=True)}
