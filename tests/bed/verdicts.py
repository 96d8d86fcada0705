"""What Guardian makes of a fault: it is injected under a running agent, and watched from both sides."""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from tests.bed.certificates import Authority
from tests.bed.commands import CommandError
from tests.bed.faults.fault import Fault, Scene
from tests.bed.guardian import Guardian
from tests.bed.host import Host
from tests.bed.ledger import AGENT_STATE
from tests.bed.waiting import until
from tests.bed.workloads.workloads import UNITS

from guardian_agent.model import FROM_BELOW, Tier
from guardian_agent.playbooks import PLAYBOOKS

LASTING_S = 3.0  # a client that is served for less is not served again
AGENT = "guardian-agent.service"

# What an operator would declare of these services, and no more; {words} are filled in for the host.
COMPONENTS = """
[[component]]
name = "web"
unit = "nginx.service"
listen = "tcp:0.0.0.0:80"
start_grace_s = 5.0
health = { http = "http://127.0.0.1/", timeout_s = 0.5, interval_s = 0.5 }
[component.certificate]
file = "/etc/nginx/tls/site.pem"
endpoint = "tcp:127.0.0.1:443"
name = "{name}"
ca_file = "/etc/ssl/bed-ca.pem"
[[component.secret]]
path = "/etc/nginx/tls/site.pem"
key = "/etc/nginx/tls/site.key"
max_age_s = 2592000
renew = ["/usr/local/bin/new-certificate"]
check = ["/usr/local/bin/try-certificate"]
reload = "nginx.service"
[[component.artifact]]
path = "/usr/sbin/nginx"
dpkg = true
good_copy = "/var/lib/good/usr/sbin/nginx"
[[component.artifact]]
path = "/etc/nginx/conf.d/tls.conf"
sha256 = "{tls}"
good_copy = "/var/lib/good/etc/nginx/conf.d/tls.conf"
[[component.artifact]]
path = "/var/www/html/index.nginx-debian.html"
sha256 = "{page}"
good_copy = "/var/lib/good/var/www/html/index.nginx-debian.html"
[[component]]
name = "shop"
unit = "shop.service"
listen = "tcp:0.0.0.0:8000"
start_grace_s = 5.0
health = { http = "http://127.0.0.1:8000/", timeout_s = 0.5, interval_s = 0.5 }
heartbeat = { file = "/run/shop/beat", max_age_s = 2 }
releases = { folder = "/srv/shop/releases", current = "/srv/shop/current" }
depends_on = ["tcp:{hub}:80"]
[[component]]
name = "front"
unit = "haproxy.service"
listen = "tcp:0.0.0.0:8080"
start_grace_s = 5.0
health = { http = "http://127.0.0.1:8080/", timeout_s = 0.5, interval_s = 0.5 }
depends_on = ["shop"]
[[component.artifact]]
path = "/etc/haproxy/haproxy.cfg"
sha256 = "{haproxy}"
good_copy = "/var/lib/good/etc/haproxy/haproxy.cfg"
[[component]]
name = "cache"
unit = "redis-server.service"
listen = "tcp:0.0.0.0:6379"
start_grace_s = 5.0
health = { command = ["/usr/bin/redis-cli", "-e", "set", "guardian", "1"], interval_s = 1.0 }
[[component]]
name = "db"
unit = "postgresql@15-main.service"
listen = "tcp:0.0.0.0:5432"
start_grace_s = 5.0
health = { command = ["/usr/bin/psql", "-h", "{address}", "-U", "postgres", "-qtAc", "select 1"], interval_s = 1.0 }
[[component]]
name = "names"
unit = "dnsmasq.service"
listen = "tcp:{address}:53"
start_grace_s = 5.0
"""
PROBE_KEYS = {"l7_dns": 'names = { "hub.bed" = "{hub}" }\n', "l3_upstream": 'addresses = ["{hub}"]\n'}
DECLARED_BY_HASH = {
    "page": "/var/www/html/index.nginx-debian.html",
    "haproxy": "/etc/haproxy/haproxy.cfg",
    "tls": "/etc/nginx/conf.d/tls.conf",
}
GOOD = "/var/lib/good"  # where the operator has good copies
COPIED = (*DECLARED_BY_HASH.values(), "/usr/sbin/nginx")
# "keeper" is nobody's component, and yet not to be touched.
AGENT_KEYS: dict[str, object] = {"actions_per_hour": 1000, "protected": ["keeper.service"]}
# What else the operator says of a playbook, beside lowering the tier of those that nobody can approve yet.
PLAYBOOK_KEYS: dict[str, str] = {
    # The shop's small disk holds the work of an hour: a day would be long there.
    "resource_cleanup": """allow = ["/var/log", "/srv/shop/data"]
names = ["*.gz", "*.[0-9]", "*.dump", "session-*"]
min_age_s = 0.0
""",
}
# The operator's own programs: how a certificate is had from the authority, and how a client finds it good.
AUTHORITY = "/var/lib/authority"
NEW_CERTIFICATE = """#!/bin/sh -e
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN={name}" \\
  -CA {authority}/ca.pem -CAkey {authority}/ca.key -keyout "$GUARDIAN_SECRET_NEW_KEY" -out "$GUARDIAN_SECRET_NEW" \\
  -addext "subjectAltName=DNS:{name},IP:{address}" -addext basicConstraints=critical,CA:FALSE
"""
TRY_CERTIFICATE = """#!/bin/sh
exec curl -sfo /dev/null --cacert /etc/ssl/bed-ca.pem --resolve {name}:443:127.0.0.1 https://{name}/
"""


class Kind(StrEnum):
    """How far Guardian got, from nothing to all of it."""

    NOT_SEEN = "not seen"  # no incident
    DETECTED = "detected"  # an incident, and neither a repair nor a call for a human
    ESCALATED = "escalated"  # an incident, and a human was called
    HEALED = "healed"  # a playbook's execution is `healed`, and the client is served again


@dataclass(frozen=True)
class Verdict:
    """How far it got, what it called the fault, and which playbook healed it."""

    kind: Kind
    issue_type: str = ""
    playbook: str = ""
    seen: str = field(default="", compare=False)  # every incident, for whoever wonders


_DEPTH = {layer.value: depth for depth, layer in enumerate(FROM_BELOW)}


@dataclass
class _Seen:
    """What the agent's own status has shown so far, by id."""

    incidents: dict[str, dict[str, Any]] = field(default_factory=dict)
    executions: dict[str, dict[str, Any]] = field(default_factory=dict)

    def take_in(self, status: dict[str, Any]) -> None:
        self.incidents |= {incident["incident_id"]: incident for incident in status["incidents"]}
        self.executions |= {execution["execution_id"]: execution for execution in status["recent_executions"]}

    def verdict(self, *, served: bool) -> Verdict:
        return replace(self._verdict(served=served), seen="; ".join(self._told()))

    def _told(self) -> Iterator[str]:
        for each in self.incidents.values():
            by = self.incidents.get(each["explained_by"], {}).get("target", "")
            yield f"{each['target']} {each['issue_type']}" + (f" by {by}" if by else "")

    def _verdict(self, *, served: bool) -> Verdict:
        healed = [each for each in self.executions.values() if each["outcome"] == "healed"]
        if healed and served:
            last = max(healed, key=lambda execution: int(execution["started_at"]["boottime_ns"]))
            return Verdict(Kind.HEALED, last["issue_type"], last["playbook"])
        if not self.incidents:
            return Verdict(Kind.NOT_SEEN)
        owned = [each for each in self.incidents.values() if not each["explained_by"]] or [*self.incidents.values()]
        owned.sort(key=lambda each: _DEPTH[each["layer"]])
        exhausted = [each for each in owned if each["exhausted"]]
        if exhausted:
            return Verdict(Kind.ESCALATED, exhausted[0]["issue_type"])
        return Verdict(Kind.DETECTED, owned[0]["issue_type"])


async def declared(host: Host, hub: Host) -> str:
    """The components above as they are declared on this host, good copies of their files laid down."""
    await host.must("mkdir", "-p", GOOD)
    await host.must("cp", "--archive", "--parents", *COPIED, GOOD)
    words = {"name": host.name, "address": host.address, "hub": hub.address}
    for word, path in DECLARED_BY_HASH.items():
        words[word] = (await host.must("sha256sum", path)).split()[0]
    components = COMPONENTS
    for word, value in words.items():
        components = components.replace(f"{{{word}}}", value)
    return components


async def lay_down_programs(host: Host, authority: Authority) -> None:
    """What `renew` and `check` of the site's certificate run, and whom they ask for one."""
    for name in ("ca.pem", "ca.key"):
        await host.write_file(f"{AUTHORITY}/{name}", (authority.folder / name).read_text(), mode="0600")
    words = {"name": host.name, "address": host.address, "authority": AUTHORITY}
    for path, program in (("new-certificate", NEW_CERTIFICATE), ("try-certificate", TRY_CERTIFICATE)):
        await host.write_file(f"/usr/local/bin/{path}", program.format(**words), mode="0755")


def leave() -> str:
    """The tables `[playbooks.ID]` of an operator who lets every playbook act by itself."""
    tables = []
    for playbook in PLAYBOOKS:
        tier = ["tier = 1"] if playbook.tier > Tier.AUTOMATIC else []
        keys = [*tier, "cooldown_s = 0", PLAYBOOK_KEYS.get(playbook.playbook_id(), "")]
        tables.append("\n".join((f"[playbooks.{playbook.playbook_id()}]", *keys)))
    return "\n".join(tables)


async def start_unprepared(guardian: Guardian, scene: Scene, *, probes: Mapping[str, str] | None = None) -> None:
    """An agent in heal mode that knows nothing of this host yet but that all of it is good. `probes`: more keys for
    some, as lines of TOML by id."""
    await scene.host.exec("systemctl", "stop", AGENT, timeout_s=90)
    await scene.host.must("rm", "-rf", AGENT_STATE)
    await lay_down_programs(scene.host, scene.authority)
    components = await declared(scene.host, scene.hub)
    more = probes or {}
    tables = {name: PROBE_KEYS.get(name, "") + more.get(name, "") for name in {*PROBE_KEYS, *more}}
    told = "".join(f"[probes.{name}]\n{keys}" for name, keys in tables.items()).replace("{hub}", scene.hub.address)
    extra = f"{told}\n{leave()}"
    await guardian.start_agent(scene.host, components=components, agent=AGENT_KEYS, extra=extra)
    await guardian.all_good(scene.host)


async def _lasts(fault: Fault, scene: Scene) -> bool:
    """Whether a client is served for a while, and not just for a moment in between."""
    until_s = time.monotonic() + LASTING_S
    while time.monotonic() < until_s:
        if await fault.symptom(scene):
            return False
        await asyncio.sleep(0.1)
    return True


async def verdict_on(fault: Fault, scene: Scene, guardian: Guardian) -> Verdict:
    """Injects a fault, waits for what comes of it, reverts it, and waits until all is good again.

    Raises:
        TimeoutError: the fault did not show to a client, or did not go away when it was reverted.
        CommandError: reverting it did not work.
    """
    await start_unprepared(guardian, scene)
    seen = _Seen()

    async def look() -> bool:
        with contextlib.suppress(ValueError):  # a starved host may not answer in time
            seen.take_in(await guardian.status(scene.host))
        return await fault.symptom(scene)

    async def shown() -> bool:
        return await look() or seen.verdict(served=True).kind is Kind.HEALED

    try:
        with contextlib.suppress(CommandError):  # it may be mended under our hands; if it is not there, that shows now
            await fault.inject(scene)
        await until(shown, f"{fault.id} shows", within_s=fault.shows_within_s)
        deadline = time.monotonic() + fault.patience_s
        while time.monotonic() < deadline:
            verdict = seen.verdict(served=not await look())
            if verdict.kind is Kind.ESCALATED or (verdict.kind is Kind.HEALED and await _lasts(fault, scene)):
                break
    finally:
        await scene.host.exec("systemctl", "stop", AGENT, timeout_s=90)
        await fault.revert(scene)
        await scene.host.exec("systemctl", "reset-failed", *UNITS)
        await scene.host.must("systemctl", "start", *UNITS, timeout_s=60)

    async def well() -> bool:
        return not await fault.symptom(scene)

    await until(well, f"{fault.id} is gone", within_s=fault.shows_within_s)
    return verdict
