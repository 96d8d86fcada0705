"""The network between the hosts: a namespace that routes between the agents' bridge and the hub's."""

from dataclasses import dataclass

from tests.bed.commands import Finished, run


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
  set cut { type ifname; }
  chain from { type filter hook prerouting priority -300; iifname @cut drop; }
  chain to { type filter hook postrouting priority 300; oifname @cut drop; }
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

    async def cut(self, interface: str) -> None:
        """Drops everything from and to a host's outer interface; the host keeps its carrier. Safe to repeat."""
        (await self.exec("nft", "add", "element", "bridge", "bed", "cut", f'{{ "{interface}" }}')).check()

    async def heal(self, interface: str) -> None:
        """Ends a cut; without one nothing happens."""
        if await self.is_cut(interface):
            (await self.exec("nft", "delete", "element", "bridge", "bed", "cut", f'{{ "{interface}" }}')).check()

    async def is_cut(self, interface: str) -> bool:
        listed = (await self.exec("nft", "list", "set", "bridge", "bed", "cut")).check()
        return f'"{interface}"' in listed.out
