"""Guardian on a fleet: its configuration and certificates laid down, its services started, its API asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.bed.certificates import Authority
from tests.bed.fleet import Fleet
from tests.bed.host import Host
from tests.bed.waiting import until

GRPC_PORT = 7443
HTTP_PORT = 8080
TLS_FOLDER = "/etc/guardian/tls"

NGINX = """
[[component]]
name = "web"
unit = "nginx.service"
listen = "tcp:0.0.0.0:80"
health = { http = "http://127.0.0.1/", expect_status = [200], timeout_s = 0.25, interval_s = 0.5, fall = 2, rise = 2 }
"""


def table(name: str, values: Mapping[str, object]) -> str:
    """A TOML table of strings, numbers, booleans and lists of them (there, JSON's spelling is TOML's)."""
    return f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def tls(name: str) -> dict[str, object]:
    """The configuration keys of a host's certificate."""
    files = {"certificate_file": f"{name}.pem", "key_file": f"{name}.key", "ca_file": "ca.pem"}
    return {key: f"{TLS_FOLDER}/{file}" for key, file in files.items()}


class ServiceError(Exception):
    """A service did not get ready."""


@dataclass
class Guardian:
    """The aggregator on the hub and the agents on the hosts of one fleet."""

    fleet: Fleet
    authority: Authority

    @classmethod
    async def on(cls, fleet: Fleet) -> "Guardian":
        """Gets ready to install; nothing runs yet."""
        return cls(fleet, await Authority.create(fleet.run.logs / "ca"))

    async def install_certificate(self, host: Host, user: str, *alternatives: str) -> None:
        """Lays the authority's certificate and the host's own, for its name, address and `alternatives`."""
        issued = await self.authority.issue(host.name, f"DNS:{host.name}", f"IP:{host.address}", *alternatives)
        await host.write_file(f"{TLS_FOLDER}/ca.pem", self.authority.certificate)
        await host.write_file(f"{TLS_FOLDER}/{host.name}.pem", issued.certificate)
        await host.write_file(f"{TLS_FOLDER}/{host.name}.key", issued.key, mode="0400", owner=user)

    async def start_aggregator(self, *, extra: str = "") -> None:
        """Configures and starts the aggregator on the hub. `extra`: more TOML tables.

        Raises:
            ServiceError: it did not get ready; its journal is in the message.
        """
        hub = self.fleet.hub
        await self.install_certificate(hub, "guardian-aggregator")
        parts = [
            table("grpc", {"listen": f"0.0.0.0:{GRPC_PORT}", **tls(hub.name)}),
            table("http", {"listen": f"127.0.0.1:{HTTP_PORT}"}),
            extra,
        ]
        await hub.write_file("/etc/guardian/aggregator.toml", "\n".join(parts))
        await self._start(hub, "guardian-aggregator.service")

    async def start_agent(
        self, host: Host, *, components: str = NGINX, agent: Mapping[str, object] | None = None, extra: str = ""
    ) -> None:
        """Configures and starts the agent on a host, in heal mode. `agent`: keys of `[agent]`; `extra`: more tables.

        Raises:
            ServiceError: it did not get ready; its journal is in the message.
        """
        keys: dict[str, object] = {"id": host.name, "mode": "heal", **(agent or {})}
        await self.install_certificate(host, "guardian", f"URI:guardian://{keys['id']}")
        hub = {"address": f"{self.fleet.hub.name}:{GRPC_PORT}", **tls(host.name)}
        parts = [table("agent", keys), table("aggregator", hub)]
        await host.write_file("/etc/guardian/agent.toml", "\n".join([*parts, components, extra]))
        await host.must("systemctl", "enable", "--quiet", "guardian-executor.socket")
        await self._start(host, "guardian-agent.service")

    async def _start(self, host: Host, unit: str) -> None:
        await host.must("systemctl", "enable", "--quiet", unit)
        if not (await host.exec("systemctl", "restart", unit, timeout_s=90)).ok:
            raise ServiceError(f"{host.name}: {unit} did not start:\n{await host.journal(unit, lines=40)}")

    async def get(self, path: str, **parameters: str) -> Any:
        """What the aggregator's API answers to a GET from the hub, decoded. Raises CommandError for an error."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        url = f"http://127.0.0.1:{HTTP_PORT}{path}{query}"
        return json.loads(await self.fleet.hub.must("curl", "-sS", "--fail-with-body", "--max-time", "5", url))

    async def incidents(self, host: Host) -> list[dict[str, Any]]:
        """The host's incidents as the aggregator has them, newest first."""
        known: list[dict[str, Any]] = (await self.get("/api/guardian/incidents", host=host.name))["incidents"]
        return known

    async def status(self, host: Host) -> dict[str, Any]:
        """What the host's own agent says of itself."""
        answer: dict[str, Any] = json.loads((await host.exec("guardian-agent", "status", "--json")).out)
        return answer

    async def status_or_none(self, host: Host) -> dict[str, Any] | None:
        """The same, or None while no agent answers."""
        asked = await host.exec("guardian-agent", "status", "--json")
        return json.loads(asked.out) if asked.out.startswith("{") else None

    async def all_good(self, host: Host, *, within_s: float = 30.0) -> None:
        """Waits until every probe of a component is good and none of the host is bad, the agent has learned what is
        good, nothing is held and the aggregator has all records."""

        async def good() -> bool:
            status = await self.status(host)
            calm = not status["incidents"] and not status["held"] and status["uplink"]["unacknowledged"] == 0
            learned = status["known_good"]["learned_at"] is not None
            return calm and learned and all(_is_good(probe) for probe in status["probes"])

        await until(good, f"all is good on {host.name}", within_s=within_s)

    async def held(self, host: Host, component: str) -> None:
        """Waits until the component is held."""

        async def is_held() -> bool:
            return component in (await self.status(host))["held"]

        await until(is_held, f"{component} is held on {host.name}", within_s=10.0)


def _is_good(probe: dict[str, Any]) -> bool:
    """What is asked need not apply to what is asked; of the host it may not have been asked yet."""
    asked = probe["target"].startswith("host:") or probe["unknown"] != "not looked at yet"
    may_be_unknown = probe["probe"] not in ("host_unit", "l4_listen", "l4_connect", "l7_http")
    return probe["state"] == "ok" or (probe["ok"] is None and asked and may_be_unknown)
