import io
import json
from typing import Any

from rich.console import Console
from tests.ctl import answers

from guardian_ctl.demo.report import as_json, report
from guardian_ctl.demo.story import Ending

INCIDENT = answers.incident(outcome="healed", fault="killed", client_outage_seconds=0.4)


def ending(**changes: Any) -> Ending:
    told = {
        "stats": answers.stats(mttr_seconds=0.5),
        "healer/stats": {"healed": 1, "failed": 0, "success_rate": 1.0, "recent_runs": []},
        "playbooks": {"playbooks": [answers.playbook()]},
        "mttr/by-issue-type": {"issue_types": []},
        "mttr/by-playbook": {"playbooks": [answers.recovery(playbook="restart_component", mttr_seconds=0.5)]},
        "failures/recent": {"failures": []},
        "osi": {"layers": [answers.layer(4, "transport", "ok"), answers.layer(1, "physical", "unknown")]},
    }
    return Ending(incidents=[INCIDENT], answers=told | changes)


def printed(what: Ending) -> str:
    console = Console(file=io.StringIO(), width=300, markup=False)
    console.print(report(what, "http://127.0.0.1:1"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_an_incident_stands_beside_what_the_client_missed() -> None:
    row = printed(ending()).splitlines()[1]
    assert row.split("  ")[0] == "killed"
    assert row.split()[-6:] == ["0.010", "s", "0.50", "s", "0.40", "s"]


def test_each_endpoint_is_told_in_a_line() -> None:
    text = printed(ending())
    for line in (
        "/api/guardian/stats               MTTR 0.50 s over 1 incident, 0 open",
        "/api/guardian/healer/stats        1 healed, 0 failed, success rate 100 %",
        "/api/guardian/playbooks           restart_component (3 runs, 2 healed)",
        "/api/guardian/mttr/by-issue-type  none",
        "/api/guardian/mttr/by-playbook    restart_component 0.50 s",
        "/api/guardian/failures/recent     0 failures and pages",
        "/api/guardian/osi                 transport ok; no probe looks at physical",
    ):
        assert line in text


def test_the_json_object_has_the_incidents_and_the_stats_as_they_are() -> None:
    told = json.loads(json.dumps(as_json(ending())))
    assert told == {"incidents": [INCIDENT], "stats": ending().answers["stats"]}
