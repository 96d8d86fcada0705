"""Situations for playbooks to plan in, without an agent around them."""

from collections.abc import Mapping
from typing import Any

from guardian_agent.detection.looking import Look
from guardian_agent.model import Component, Incident, Layer, Reading, Stamp
from guardian_agent.playbooks.base import Seen, Situation

NOW = Stamp("boot-1", 1, 1)


class Looks:
    """A looker whose probes all saw what it was told."""

    def __init__(self, seen: Mapping[str, Look] | None = None) -> None:
        self.seen: dict[str, Seen] = dict(seen or {})

    async def look(self, probe_id: str) -> Seen:
        return self.seen.get(probe_id, Look(at=NOW, reading=Reading(ok=True)))

    def looks(self) -> Mapping[str, Seen]:
        return self.seen

    def rise(self, probe_id: str) -> int:
        return 2

    def confirm_interval_s(self, probe_id: str) -> float:
        return 0.01


def saw(ok: bool, **evidence: object) -> Look:
    return Look(at=NOW, reading=Reading(ok=ok, evidence=evidence))


def situation(
    component: Component | None,
    issue_type: str = "service_failed",
    *,
    attempts: int = 0,
    looks: Mapping[str, Look] | None = None,
    evidence: Mapping[str, Any] | None = None,
    components: tuple[Component, ...] = (),
    protected: frozenset[str] = frozenset(),
) -> Situation:
    incident = Incident(
        incident_id="i1",
        target=component.name if component else "tcp:10.0.0.5:5432",
        issue_type=issue_type,
        layer=Layer.HOST,
        owner_probe="host_unit",
        first_bad_at=NOW,
        detected_at=NOW,
        evidence=dict(evidence or {}),
    )
    return Situation(
        incident=incident,
        component=component,
        looker=Looks(looks),
        attempts=attempts,
        components=components,
        protected=protected,
    )
