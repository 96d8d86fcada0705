"""A host and its router in network namespaces of their own, and what `LocalPackets` of the host says there (root)."""

import json
import os
import subprocess
import sys
from typing import Any

HOST, ROUTER, FAR, FARTHER = "10.9.0.2", "10.9.0.1", "10.8.0.9", "10.8.0.10"
HOST6, ROUTER6, FAR6 = "2001:db8:9::2", "2001:db8:9::1", "2001:db8:8::9"
HOST_MAC, ROUTER_MAC, OTHER_MAC = "02:00:00:00:00:02", "02:00:00:00:00:01", "02:00:00:00:00:03"

UNHINDERED = ("net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0", "net.ipv4.ip_forward=1")

CHILD = """
import asyncio, json, os, sys
import msgspec
from guardian_agent.errors import ProbeError
from types import SimpleNamespace
from guardian_agent.host import Known, KnownGood
from guardian_agent.host.netlink import LocalNetlink
from guardian_agent.host.packets import LocalPackets
from guardian_agent.model import Schedule
from guardian_agent.probes import PROBES

class Netlink(LocalNetlink):
    async def default_routes(self):
        return [route for route in [await self.default_route()] if route]

async def look(probe_id, **known):
    good = msgspec.convert(known, KnownGood)
    host = SimpleNamespace(netlink=Netlink(), packets=LocalPackets(), known=Known(good))
    probe = next(probe for probe in PROBES if probe.probe_id() == probe_id)
    return await probe.for_host(probe.schedule).look(host)

async def ask(name, arguments, options):
    function = look if name == "look" else getattr(LocalPackets(), name)
    try:
        return msgspec.to_builtins(await function(*arguments, **options))
    except ProbeError as error:
        return f"{type(error).__name__}: {error}"

async def main():
    return await asyncio.gather(*(ask(*question) for question in json.loads(sys.argv[1])))

if sys.argv[2] != "0":
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
print(json.dumps(asyncio.run(main())))
"""

Question = tuple[str, list[Any], dict[str, Any]]


class Wire:
    """The host's `up0` and `other0` of another one are on the router's bridge; beyond it are the `FAR` addresses, which
    are the router's too."""

    def __init__(self) -> None:
        self.host, self.router, self.other = (f"guardian-{name}-{os.getpid()}" for name in ("host", "router", "other"))
        self._all = (self.host, self.router, self.other)

    def create(self) -> None:
        for name in self._all:
            subprocess.run(["ip", "netns", "add", name], check=True)
            self.run(name, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", *UNHINDERED)
            self.ip(name, "link set lo up")
        lan = f"link add lan address {ROUTER_MAC} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
        self.ip(self.router, lan, "link set lan up")
        for name, device, mac in ((self.host, "up0", HOST_MAC), (self.other, "other0", OTHER_MAC)):
            port = device.replace("0", "-port")
            peer = f"type veth peer name {port} netns {self.router}"
            self.ip(name, f"link add {device} address {mac} {peer}", f"link set {device} up")
            self.ip(self.router, f"link set {port} master lan up")
        self.ip(
            self.router,
            f"addr add {ROUTER}/24 dev lan",
            f"addr add {ROUTER6}/64 dev lan",
            f"addr add {FAR}/32 dev lo",
            f"addr add {FARTHER}/32 dev lo",
            f"addr add {FAR6}/128 dev lo",
        )
        self.ip(self.host, f"addr add {HOST}/24 dev up0", f"addr add {HOST6}/64 dev up0")
        self.ip(self.host, f"route add default via {ROUTER}", f"-6 route add default via {ROUTER6}")

    def delete(self) -> None:
        for name in self._all:
            subprocess.run(["ip", "netns", "del", name], check=False)

    def ip(self, namespace: str, *commands: str) -> None:
        """Runs `ip` commands; those that begin with -6 after the others."""
        for family in ("", "-6"):
            lines = [one.removeprefix("-6") for one in commands if one.startswith("-6") == bool(family)]
            argv = ["ip", *([family] if family else []), "-n", namespace, "-batch", "-"]
            if lines:
                subprocess.run(argv, check=True, text=True, input="\n".join([*lines, ""]))

    def run(self, namespace: str, *command: str, stdin: str = "") -> str:
        inside = ["ip", "netns", "exec", namespace, *command]
        return subprocess.run(inside, check=True, stdout=subprocess.PIPE, text=True, input=stdin).stdout

    def nft(self, namespace: str, rules: str) -> None:
        self.run(namespace, "nft", "-f", "-", stdin=rules)

    def ask(self, *questions: Question, uid: int = 0) -> list[Any]:
        """What came of questions that are asked at the same time; an error as its text."""
        return json.loads(self.run(self.host, sys.executable, "-c", CHILD, json.dumps(questions), str(uid)))

    def echo(self, address: str, timeout_s: float = 0.5, *, uid: int = 0, **options: Any) -> Any:
        return self.ask(("echo", [address, timeout_s], options), uid=uid)[0]

    def owners(self, address: str, timeout_s: float = 0.3, *, interface: str = "up0", own: bool = False) -> Any:
        return self.ask(("owners", [address, interface, timeout_s], {"own": own}))[0]

    def look(self, probe_id: str, **known: Any) -> Any:
        """One look of a host's own probe, with what is known to be good."""
        return self.ask(("look", [probe_id], known))[0]
