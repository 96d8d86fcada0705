"""How is what the probes and the running agent answer shown to people?"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from guardian_agent.console import show, show_table
from guardian_agent.detection.learning import differences
from guardian_agent.diagnosis import Answer, Diagnosis
from guardian_agent.host import KnownGood

MARKS = {True: "ok", False: "FAILING", None: "unknown"}


def show_answers(answers: Sequence[Answer]) -> None:
    """A table of what each probe has seen."""
    rows = [(one.layer, one.probe, one.target, _mark(one), one.issue_type, one.finding) for one in answers]
    show_table(("layer", "probe", "target", "state", "issue type", "finding"), rows)


def _mark(answer: Answer) -> str:
    return "never good" if answer.ok is False and not answer.counts else MARKS[answer.ok]


def show_diagnosis(found: Diagnosis) -> None:
    """The sentence, and what else looks bad."""
    show(found.sentence)
    for title, answers in (
        ("follows", found.consequences),
        ("besides", found.others),
        ("never good", found.never_good),
    ):
        for one in answers:
            show(f"  {title}: {one.target}: {one.issue_type}, {one.probe}: {one.finding}")


def show_status(status: Mapping[str, Any]) -> None:
    """How things stand, as the running agent says."""
    uplink = status["uplink"]
    reach = "connected" if uplink["connected"] else uplink["last_error"] or "not connected"
    show(
        f"{status['agent']}: mode {status['mode']}" + (f", braked: {status['brake']}" if status["brake"] else ""),
        f"aggregator: {reach if uplink['configured'] else 'none configured'}, {uplink['unacknowledged']} records wait",
        *_own_health(status.get("self_health")),
        *_executor_line(status.get("executor")),
    )
    rows = [(p["layer"], p["probe"], p["target"], "held" if p["held"] else p["state"]) for p in status["probes"]]
    show_table(("layer", "probe", "target", "state"), rows)
    if status["known_good"].get("learned_at"):
        good = msgspec.convert(status["known_good"], KnownGood)
        show("known good:", *(f"  {line}" for line in differences(KnownGood(), good)))
    for incident in status["incidents"]:
        explained = f", explained by {incident['explained_by']}" if incident["explained_by"] else ""
        show(f"open: {incident['target']}: {incident['issue_type']}{explained}")
    for component, reason in status["held"].items():
        show(f"held: {component}: {reason}")
    for component, endpoint in status["moved"].items():
        show(f"moved: {component}: listens on {endpoint}, and its own port is redirected there until the next boot")
    for playbook, reason in status["disabled_playbooks"].items():
        show(f"disabled: {playbook}: {reason}")


def _own_health(health: dict[str, Any] | None) -> list[str]:
    """What the agent last measured of itself, in a line; none in its first minute."""
    if health is None:
        return []
    percent, megabytes = 100 * health["cpu_s"] / health["over_s"], health["resident_bytes"] / 1e6
    late_ms = health["loop_lag_worst_s"] * 1e3
    line = f"agent: {percent:.1f} % of a core, {megabytes:.0f} MB, late by at most {late_ms:.0f} ms"
    missed = health["looks_late"]
    return [f"{line}; looks that say nothing for that: {missed}" if missed else line]


def _executor_line(executor: str | None) -> list[str]:
    return [f"executor: {executor}"] if executor else []
