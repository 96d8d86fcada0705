"""One fault from its injection to the incident's end, as the client, the API and the demo itself saw it."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from guardian_ctl.demo.faults import Fault
from guardian_ctl.demo.watching import Outage
from guardian_ctl.wording import plain, seconds, when


class Event(NamedTuple):
    """Something happened (Unix time), and who says so."""

    at: float
    who: str
    text: str


@dataclass
class Episode:
    """`incident` is the API's, with its executions, as it was last asked for."""

    fault: Fault
    broken_at: float | None = None
    pid: int = 0
    incident: dict[str, Any] | None = None
    outage: Outage | None = None
    earlier: set[str] = field(default_factory=set)  # the incidents that there were before

    @property
    def over(self) -> bool:
        """The incident is closed, and the client gets answers again."""
        closed = self.incident is not None and not self.incident["open"]
        return closed and (self.outage is None or self.outage.end is not None)

    @property
    def healed(self) -> bool:
        return is_healed(self.incident)

    def state(self) -> str:
        """What is being done, in a few words."""
        if self.broken_at is None:
            return "next"
        if self.incident is None:
            return "broken; not seen yet"
        if not self.incident["open"]:
            return "healed" if self.healed else f"over: {plain(self.incident['resolution'])}"
        running = [run for run in attempts(self.incident) if run["outcome"] is None]
        return f"{plain(running[-1]['playbook'])} is at work" if running else "seen"

    def timeline(self) -> list[Event]:
        """All that is known of it, in order."""
        if self.broken_at is None:
            return []
        events = [Event(self.broken_at, "demo", f"{self.fault.number.name} to process {self.pid}: {self.fault.means}")]
        if self.outage:
            events.append(Event(self.outage.start, "client", "asks, and gets no answer"))
            if self.outage.end is not None:
                events.append(Event(self.outage.end, "client", f"is answered, after {seconds(self.outage.seconds)}"))
        return sorted([*events, *_of_incident(self.incident or {})], key=lambda event: event.at)

    def as_json(self) -> dict[str, Any]:
        """What this adds to an incident's JSON."""
        return {"fault": self.fault.name, "client_outage_seconds": self.outage.seconds if self.outage else None}


def attempts(incident: dict[str, Any]) -> list[dict[str, Any]]:
    """The executions that were meant to heal; not the diagnoses that ran beside them."""
    return [run for run in incident["executions"] if run["outcome"] not in ("completed", "dry_run")]


def is_healed(incident: dict[str, Any] | None) -> bool:
    """Whether Guardian ended it: closed, by itself, with a healed execution."""
    if incident is None or incident["open"] or incident["resolution"] != "auto":
        return False
    return any(run["outcome"] == "healed" for run in attempts(incident))


def _of_incident(incident: dict[str, Any]) -> list[Event]:
    events = []
    for key, text in (
        ("first_bad_at", "first bad look"),
        ("detected_at", f"detected: {plain(incident.get('issue_type'))}, by {plain(incident.get('owner_probe'))}"),
        ("verified_at", "first good look of those that count as recovery"),
        ("closed_at", f"the incident is over: {plain(incident.get('resolution'))}"),
    ):
        if incident.get(key):
            events.append(Event(_unix(incident[key]), "agent", text))
    for run in incident.get("executions", []):
        events += _of_execution(run)
    return events


def _of_execution(run: dict[str, Any]) -> list[Event]:
    playbook, outcome = plain(run["playbook"]), run["outcome"]
    if outcome == "completed":
        return [Event(_unix(run["finished_at"]), "agent", f"{playbook}: {plain(run['reason'])}")]
    events = [Event(_unix(run["started_at"]), "agent", f"{playbook} begins")]
    events += [Event(_unix(run["started_at"]), "agent", f"  {plain(step['describe'])}") for step in run["steps"]]
    if outcome is not None:
        events.append(Event(_unix(run["finished_at"]), "agent", f"{playbook}: {outcome}, {plain(run['reason'])}"))
    return events


def _unix(moment: str) -> float:
    return when(moment).timestamp()
