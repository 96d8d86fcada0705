"""Walks the layers from the interface up to the application, and names the lowest that fails."""

from typing import Any, ClassVar

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, Route
from guardian_agent.model import FROM_BELOW, Layer, Tier
from guardian_agent.playbooks.base import Beside, Plan, Playbook, Situation

SOUND_NEIGHBOUR = ("reachable", "stale", "delay", "probe", "permanent", "noarp")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one question about one layer came to; `ok` is None when it could not be told."""

    layer: Layer
    ok: bool | None
    text: str

    def as_json(self) -> dict[str, Any]:
        return {"layer": self.layer.name.lower(), "ok": self.ok, "finding": self.text}


class DiagnoseNetwork(Playbook, frozen=True):
    """Says which layer is at fault, with the evidence; changes nothing.

    Layers 1 to 3 are read from the kernel for the uplink; above them, it is what the component's own probes saw last.
    """

    tier: ClassVar = Tier.OBSERVES
    beside: ClassVar = Beside.EVERY_INCIDENT

    async def plan(self, situation: Situation, host: Host) -> Plan:
        findings = [*await self._uplink(host), *self._component(situation)]
        failing = [finding for finding in findings if finding.ok is False]
        lowest = min(failing, key=lambda finding: FROM_BELOW.index(finding.layer)) if failing else None
        told = [finding for finding in findings if finding.ok is not None]
        return Plan(
            findings={
                "lowest_failing_layer": lowest.layer.name.lower() if lowest else None,
                "sentence": self._sentence(lowest, len(told)),
                "layers": [finding.as_json() for finding in findings],
            }
        )

    async def _uplink(self, host: Host) -> list[Finding]:
        try:
            route = await host.netlink.default_route()
            if route is None:
                return [Finding(layer=Layer.NETWORK, ok=None, text="no default route, so no uplink to judge")]
            return [
                await self._link(host, route),
                await self._gateway(host, route),
                Finding(layer=Layer.NETWORK, ok=True, text=f"default route by {route.interface}"),
            ]
        except ProbeError as error:
            return [Finding(layer=Layer.NETWORK, ok=None, text=str(error))]

    async def _link(self, host: Host, route: Route) -> Finding:
        link = await host.netlink.link(route.interface)
        if link is None:
            return Finding(layer=Layer.PHYSICAL, ok=False, text=f"{route.interface} does not exist")
        text = f"{link.name}: {'up' if link.admin_up else 'down'}, {'carrier' if link.carrier else 'no carrier'}"
        return Finding(layer=Layer.PHYSICAL, ok=link.admin_up and link.carrier, text=text)

    async def _gateway(self, host: Host, route: Route) -> Finding:
        if route.gateway is None:
            return Finding(layer=Layer.DATA_LINK, ok=None, text="the route has no gateway")
        neighbour = await host.netlink.neighbour(route.gateway, route.interface)
        if neighbour is None:
            return Finding(layer=Layer.DATA_LINK, ok=None, text=f"nothing known of the gateway {route.gateway}")
        text = f"gateway {neighbour.address} is {neighbour.state}, at {neighbour.mac or 'no address'}"
        return Finding(layer=Layer.DATA_LINK, ok=neighbour.state in SOUND_NEIGHBOUR, text=text)

    def _component(self, situation: Situation) -> list[Finding]:
        layers = {"host": Layer.HOST} | {f"l{layer.value}": layer for layer in Layer if layer != Layer.HOST}
        findings = []
        for probe_id, look in situation.looker.looks().items():
            layer = layers[probe_id.partition("_")[0]]
            if look.reading is None:
                findings.append(Finding(layer=layer, ok=None, text=f"{probe_id}: {look.unknown}"))
            else:
                seen = ", ".join(
                    f"{key} {value}" for key, value in look.reading.evidence.items() if value not in ("", None)
                )
                findings.append(Finding(layer=layer, ok=look.reading.ok, text=f"{probe_id}: {seen}"))
        return sorted(findings, key=lambda finding: FROM_BELOW.index(finding.layer))

    def _sentence(self, lowest: Finding | None, told: int) -> str:
        if lowest is None:
            return f"Nothing is seen to fail; {told} questions could be answered."
        return f"The lowest failing layer is {lowest.layer.name.lower()} ({lowest.text})."
