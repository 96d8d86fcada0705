"""The network between the hosts: a namespace that routes between the agents' bridge and the hub's."""

import re
from dataclasses import dataclass
from enum import StrEnum

from tests.bed.commands import Finished, run


class Direction(StrEnum):
    """Which way a cut is, as the host sees it."""

    IN = "in"
    OUT = "out"
    BOTH = "both"

    @property
    def ways(self) -> tuple[str, ...]:
        return ("in", "out") if self is Direction.BOTH else (self.value,)


@dataclass(frozen=True)
class Network:
    """One side of the router: a bridge, and the router's address on it, from 198.18.0.0/15, set aside for tests."""

    bridge: str
    gateway: str
    prefix_length: int = 16


AGENTS = Network("agents", "198.18.0.1")
HUB = Network("hub", "198.19.0.1")

# Bridge family: it sees all of a host's packets, ARP included, and outlives the interface, which a reboot makes anew.
RULES = """
table bridge bed {
  set cut_out { type ifname; }
  set cut_in { type ifname; }
  chain from { type filter hook prerouting priority -300; iifname @cut_out drop; }
  chain to { type filter hook postrouting priority 300; oifname @cut_in drop; }
}
"""


@dataclass(frozen=True)
class Router:
    """A network namespace by name."""

    netns: str

    async def create(self) -> None:
        """Makes the namespace, its bridges and its rules. Raises CommandError when the kernel refuses one."""
        (await run("ip", "netns", "add", self.netns)).check()
        lines = ["link set lo up"]
        for side in (AGENTS, HUB):
            lines += [
                f"link add {side.bridge} type bridge stp_state 0 forward_delay 0",
                f"address add {side.gateway}/{side.prefix_length} dev {side.bridge}",
                f"link set {side.bridge} up",
            ]
        batch = "\n".join(lines).encode()
        (await run("ip", "-n", self.netns, "-batch", "-", stdin=batch)).check()
        (await self.exec("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")).check()
        (await self.exec("nft", "-f", "-", stdin=RULES.encode())).check()

    async def exec(self, *argv: str, stdin: bytes = b"") -> Finished:
        """Runs a program of the machine inside the router's network."""
        return await run(*self.entered(*argv), stdin=stdin, shown=argv)

    def entered(self, *argv: str) -> list[str]:
        """What to run for `argv` to be run inside the router's network."""
        return ["nsenter", f"--net=/run/netns/{self.netns}", "--", *argv]

    async def cut(self, interface: str, direction: Direction = Direction.BOTH) -> None:
        """Drops everything that goes to or comes from a host's outer interface; the host keeps its carrier.

        It adds to the cuts that are there, and is safe to repeat.
        """
        for way in direction.ways:
            (await self.exec("nft", "add", "element", "bridge", "bed", f"cut_{way}", f'{{ "{interface}" }}')).check()

    async def heal(self, interface: str) -> None:
        """Ends all cuts of a host; without one nothing happens."""
        for way in await self.cuts(interface):
            (await self.exec("nft", "delete", "element", "bridge", "bed", f"cut_{way}", f'{{ "{interface}" }}')).check()

    async def cuts(self, interface: str) -> list[str]:
        """The ways in which a host is cut off: `in`, `out`, both or none."""
        listed = (await self.exec("nft", "list", "table", "bridge", "bed")).check()
        sets = re.findall(r"set cut_(\w+) \{(.*?)\n\t\}", listed.out, re.DOTALL)
        return [way for way, elements in sets if f'"{interface}"' in elements]

    async def carrier(self, interface: str, *, on: bool) -> None:
        """Gives a host its carrier or takes it, by the outer end of its link."""
        (await self.exec("ip", "link", "set", interface, "up" if on else "down")).check()
