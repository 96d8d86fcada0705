"""How the demo ends: the incidents in a table, and what the six endpoints say of them."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from guardian_ctl.demo.story import ENDPOINTS, Ending
from guardian_ctl.tables.layout import Grid, facts, toned
from guardian_ctl.tables.words import layer_name
from guardian_ctl.wording import NOTHING, plain, seconds, several, share

LEGEND = """\
recovered: from the agent's first bad look to its first good one
client: from the first question without an answer to the next answer"""


def as_json(ending: Ending) -> dict[str, Any]:
    """The one object that `--once --json` prints."""
    return {"incidents": ending.incidents, "stats": ending.answers["stats"]}


def report(ending: Ending, url: str) -> RenderableType:
    """Everything that there is to see at the end."""
    told = [(path, Text(sentence)) for path, sentence in zip(ENDPOINTS.values(), _sentences(ending), strict=True)]
    return Group(_table(ending), Text(LEGEND), Text(), Text(f"What {url} answers"), facts(told))


def _table(ending: Ending) -> Grid:
    table = Grid(*("fault", "issue type", "?layer", "playbook", "outcome", "?>detected", ">recovered", ">client"))
    for incident in ending.incidents:
        healed = incident["outcome"] == "healed" and incident["resolution"] == "auto"
        table.add_row(
            incident["fault"] or NOTHING,
            plain(incident["issue_type"]),
            layer_name(incident["layer"]),
            plain(incident["playbook"]),
            toned(f"{plain(incident['outcome'])}, {plain(incident['resolution'])}", "good" if healed else "bad"),
            seconds(incident["time_to_detect_seconds"]),
            seconds(incident["time_to_recover_seconds"]),
            seconds(incident["client_outage_seconds"]),
        )
    return table


def _sentences(ending: Ending) -> Iterator[str]:
    """One for each endpoint."""
    answers = ending.answers
    stats = answers["stats"]
    agents = stats["agents"]
    yield (
        f"MTTR {seconds(stats['mttr_seconds'])} over {several(stats['count'], 'incident')}, {stats['open']} open; "
        f"{stats['incidents']['auto']} healed by Guardian; {agents['connected']} of {agents['total']} agents connected"
    )
    healer = answers["healer/stats"]
    newest = healer["recent_runs"][0] if healer["recent_runs"] else None
    yield f"{healer['healed']} healed, {healer['failed']} failed, success rate {share(healer['success_rate'])}" + (
        f"; the last: {newest['playbook']} for {newest['issue_type']}, {newest['outcome']}" if newest else ""
    )
    yield ", ".join(f"{each['id']} ({_runs(each)})" for each in answers["playbooks"]["playbooks"]) or "none"
    yield _mttr(answers["mttr/by-issue-type"]["issue_types"], "issue_type")
    yield _mttr(answers["mttr/by-playbook"]["playbooks"], "playbook")
    yield several(len(answers["failures/recent"]["failures"]), "failure") + " and pages"
    layers = answers["osi"]["layers"]
    known = [f"{layer['name']} {layer['state']}" for layer in layers if layer["reason"] != "no_data"]
    silent = [layer["name"] for layer in layers if layer["reason"] == "no_data"]
    yield ", ".join(known) + (f"; no probe looks at {', '.join(silent)}" if silent else "")


def _runs(playbook: dict[str, Any]) -> str:
    executions = playbook["executions"]
    healed = executions["by_outcome"].get("healed", 0)
    return several(executions["total"], "run") + (f", {healed} healed" if healed else "")


def _mttr(groups: list[dict[str, Any]], key: str) -> str:
    return ", ".join(f"{plain(group[key])} {seconds(group['mttr_seconds'])}" for group in groups) or "none"
