"""Layer 7: do this host's name servers answer, and rightly?"""

import asyncio
import os.path
import socket
from typing import Any, ClassVar, Self

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, NameAnswer
from guardian_agent.host.resolver import servers_in
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import PATH, Probe

RESOLVER, HOSTS = "/etc/resolv.conf", "/etc/hosts"
MOST_SERVERS = 3  # so many does the C library ask (resolv.conf(5))
MOST_LINKS = 4
ROOT = "."


class L7Dns(Probe, frozen=True, kw_only=True):
    """Failing while none of the name servers in /etc/resolv.conf answers, or none is left in it although there were
    some when all was good (`dns_failure`); while a name of `names` has another address (`dns_wrong`).

    Each server is asked by itself, and any answer but SERVFAIL shows that it lives. What programs are told counts for
    `names`: /etc/hosts before the servers.
    """

    layer: ClassVar = Layer.APPLICATION
    issue_types: ClassVar = ("dns_failure", "dns_wrong")
    schedule: ClassVar = Schedule(timeout_s=1.0, confirm_interval_s=0.5)
    options: ClassVar = ("name", "names")

    name: str = ROOT  # which is asked for; of the root, for its servers
    names: dict[str, str] = msgspec.field(default_factory=dict)  # addresses that names must have
    answer_within_s: float = 1.0

    def __hash__(self) -> int:
        return hash((self.name, tuple(sorted(self.names.items())), self.answer_within_s))

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls(answer_within_s=schedule.timeout_s)

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return PATH if issue_type == "dns_failure" else ()

    async def look(self, host: Host) -> Reading:
        good = host.known.good.name_servers
        servers = name_servers(await _content(host, RESOLVER, there_before=bool(good)))
        if not servers:
            if not good:
                raise ProbeError(f"no name server in {RESOLVER}, and none known from before")
            reason = f"no name server in {RESOLVER}"
            return Reading(ok=False, evidence={"reason": reason, "good_name_servers": list(good)})
        kind = "NS" if self.name == ROOT else "A"
        asked = [host.clients.ask_name(server, self.name, kind, self.answer_within_s) for server in servers]
        said = dict(zip(servers, await asyncio.gather(*asked), strict=True))
        evidence: dict[str, Any] = {"asked_for": self.name, "name_servers": {s: _shown(a) for s, a in said.items()}}
        alive = [server for server, answer in said.items() if answer.code not in ("", "SERVFAIL")]
        if not alive:
            return Reading(ok=False, evidence=evidence)
        if wrong := await self._wrong(host, alive[0]):
            return Reading(ok=False, issue_type="dns_wrong", evidence=evidence | {"wrong": wrong})
        return Reading(ok=True, evidence=evidence)

    async def _wrong(self, host: Host, server: str) -> dict[str, str]:
        """What the names are found to be that are not what they should be."""
        if not self.names:
            return {}
        fixed = addresses_in(await _content(host, HOSTS, there_before=True))
        wrong = {}
        for name, address in self.names.items():
            family = ":" in address
            found = [one for one in fixed.get(name.lower(), []) if (":" in one) == family]
            where = HOSTS
            if not found:
                answer = await host.clients.ask_name(server, name, "AAAA" if family else "A", self.answer_within_s)
                if answer.code not in ("NOERROR", "NXDOMAIN"):
                    raise ProbeError(f"{server} cannot tell what {name} is: {_shown(answer)}")
                found, where = list(answer.addresses), server
            if _packed(address) not in map(_packed, found):
                wrong[name] = f"{', '.join(found) or 'unknown'} by {where}, not {address}"
        return wrong


def name_servers(text: str) -> list[str]:
    """The servers in a resolv.conf(5) that the C library asks."""
    return list(servers_in(text)[:MOST_SERVERS])


def addresses_in(text: str) -> dict[str, list[str]]:
    """The addresses of names in a hosts(5) file, by name in lower case."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        for name in names:
            found.setdefault(name.lower(), []).append(address)
    return found


async def _content(host: Host, path: str, *, there_before: bool) -> str:
    """What stands in a file that may be a link; nothing where there is no file."""
    for _ in range(MOST_LINKS):
        state = await host.files.state(path)
        if state is None or state.kind != "link":
            break
        path = _target(path, state.target)
    try:
        return await host.files.text(path)
    except ProbeError:
        if there_before and await host.files.state(path) is None:
            return ""
        raise


def _target(path: str, written: str) -> str:
    return os.path.normpath(os.path.join(os.path.dirname(path), written))  # noqa: PTH118, PTH120 - text only


def _packed(address: str) -> bytes:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_pton(family, address)
        except OSError:
            continue
    return b""


def _shown(answer: NameAnswer) -> str:
    return answer.code or answer.reason
