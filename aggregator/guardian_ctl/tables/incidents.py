"""Incidents: the list, and one with all that was done about it."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from guardian_ctl.tables.layout import Grid, facts, more, toned
from guardian_ctl.tables.words import layer_name
from guardian_ctl.wording import moment, plain, seconds, since, when, zone

MOMENTS = {
    "last_good_at": "last good look",
    "first_bad_at": "first bad look",
    "detected_at": "detected",
    "decided_at": "decided what to do",
    "action_started_at": "began to act",
    "action_finished_at": "had acted",
    "verified_at": "first good look that lasted",
    "closed_at": "closed",
}
OUTCOME_TONES = {"healed": "good", "completed": "", "superseded": "", "dry_run": "", None: "warning"}


def incident_list(answer: dict[str, Any]) -> RenderableType:
    """What `/api/guardian/incidents` answers."""
    if not answer["incidents"]:
        return Text("no incidents")
    table = Grid(f"began ({zone()})", "host", "target", "issue type", "state", "?>recovered", "?layer", "?by", "id")
    for incident in answer["incidents"]:
        table.add_row(
            moment(incident["first_bad_at"]),
            plain(incident["host"]),
            plain(incident["target"]),
            plain(incident["issue_type"]),
            state(incident),
            seconds(incident["time_to_recover_seconds"]),
            layer_name(incident["layer"]),
            plain(incident["playbook"] or incident["recovered_by"]),
            plain(incident["id"]),
        )
    return Group(table, *more(answer))


def one_incident(incident: dict[str, Any]) -> RenderableType:
    """What `/api/guardian/incidents/{id}` answers."""
    title = f"{plain(incident['issue_type'])} of {plain(incident['target'])} on {plain(incident['host'])}"
    runs = [part for run in incident["executions"] for part in _execution(run)]
    return Group(
        Text(title, style="bold"),
        facts(_facts(incident)),
        Text(),
        facts(_moments(incident)),
        *(runs or [Text("\nnothing was done about it")]),
    )


def state(incident: dict[str, Any]) -> Text:
    """How it stands, in a word or two."""
    if not incident["open"]:
        return toned(plain(incident["resolution"]), "good" if incident["resolution"] == "auto" else "")
    for_how_long = f"open for {seconds(since(incident['first_bad_at']))}"
    if incident["held"]:
        return toned(f"{for_how_long}, held", "quiet")
    if incident["explained_by"]:
        return toned(f"{for_how_long}, explained", "quiet")
    return toned(f"{for_how_long}, needs a human" if incident["exhausted"] else for_how_long, "bad")


def _facts(incident: dict[str, Any]) -> Iterator[tuple[str, RenderableType]]:
    yield "id", plain(incident["id"])
    yield "state", state(incident)
    yield "layer", f"{layer_name(incident['layer'])}, owned by {plain(incident['owner_probe'])}"
    if incident["symptoms"]:
        yield "symptoms", plain(", ".join(incident["symptoms"]))
    for key, name in (("explained_by", "explained by"), ("recurrence_of", "recurrence of")):
        if incident[key]:
            yield name, plain(incident[key])
    yield "detected in", seconds(incident["time_to_detect_seconds"])
    upper = incident["recover_upper_seconds"]
    most = f" (at most {seconds(upper)}, from the last good look)" if upper is not None else ""
    yield "recovered in", seconds(incident["time_to_recover_seconds"]) + most
    if not incident["counted"]:
        yield "counted", "no: what is held or explained by another is in no statistic"
    yield "evidence", evidence(incident["evidence"])


def _moments(incident: dict[str, Any]) -> Iterator[tuple[str, RenderableType]]:
    begin = when(incident["first_bad_at"])
    for key, name in MOMENTS.items():
        if incident[key] is not None:
            after = (when(incident[key]) - begin).total_seconds()
            yield name, f"{moment(incident[key])}  {after:+10.3f} s"


def _execution(run: dict[str, Any]) -> Iterator[RenderableType]:
    title = Text(f"\n{plain(run['playbook'])}: ", style="bold")
    title.append_text(toned(plain(run["outcome"] or "running"), OUTCOME_TONES.get(run["outcome"], "bad")))
    took = f" in {seconds(run['duration_seconds'])}" if run["duration_seconds"] is not None else ""
    yield title.append(took, style="not bold")
    if run["reason"]:
        yield Text(f"  {plain(run['reason'])}")
    for step in run["steps"]:
        yield Text(f"  {step['index'] + 1}. {plain(step['describe'])}: {plain(step['state'])}")
        if step["error"]:
            yield toned(f"     {plain(step['error'])}", "bad")


def evidence(found: dict[str, Any]) -> str:
    """What a probe saw, as `key value` pairs."""
    return ", ".join(f"{plain(key)} {plain(value)}" for key, value in found.items()) or plain(None)
