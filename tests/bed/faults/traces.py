"""What a fault might leave behind: the state of a machine that faults touch, as text to compare."""

import asyncio

from tests.bed.faults.fault import Scene
from tests.bed.host import Host

# Where faults write. What the shop's customers write (order-*) comes and goes.
FOLDERS = (
    "/etc /srv/shop /var/www/html /usr/sbin/nginx"
    " /run/systemd/system /run/systemd/system.control /run/systemd/transient"
)
# Nothing in them changes by itself: no counters, no ages, no neighbour entries.
HOST = (
    "ip -o link show",
    "ip -o -br address show",
    "ip route show table all type unicast",
    "ip route show type blackhole",
    "ip route show type unreachable",
    "ip route show type prohibit",
    "ip rule show",
    "ip neigh show nud permanent",
    "nft --stateless list ruleset",
    "tc qdisc show",
    "sysctl net.ipv6.conf.host0.accept_ra net.ipv6.conf.host0.addr_gen_mode",
    "sysctl net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.core.somaxconn",
    "cat /etc/resolv.conf /etc/hosts",
    f"find {FOLDERS} -not -name order-* -not -type d -printf %p:%M:%u:%g:%l\\n",
    f"find {FOLDERS} -not -name order-* -type f -exec sha256sum {{}} +",
    "systemctl --failed --no-legend --plain",
    "systemctl show --property=Id,ActiveState,Restart,CPUWeight,CPUQuotaPerSecUSec,MemoryMax,TasksMax {units}",
    "findmnt --noheadings --output=SOURCE,FSTYPE,OPTIONS /srv/shop/data",
)
ROUTER = (
    "ip -o link show",
    "ip -o -br address show",
    "ip route show table all",
    "ip rule show",
    "ip neigh show nud permanent",
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
    commands = [command.replace("{units}", " ".join(units)) for command in HOST]
    done = await asyncio.gather(*(host.exec(*command.split()) for command in commands))
    return {f"{host.name}: {command}": in_order(each.out) for command, each in zip(commands, done, strict=True)}


def in_order(text: str) -> str:
    """By lines: the order of files in a folder tells nothing."""
    return "\n".join(sorted(text.splitlines()))


async def _of_router(scene: Scene) -> dict[str, str]:
    done = await asyncio.gather(*(scene.router.exec(*command.split()) for command in ROUTER))
    return {f"router: {command}": each.out for command, each in zip(ROUTER, done, strict=True)}
