"""The fleet's statistics: `guardianctl stats` and `guardianctl mttr`."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from guardian_ctl.tables.layout import Grid, facts, toned
from guardian_ctl.tables.words import layer_name
from guardian_ctl.wording import interval, moment, plain, seconds, several, share, zone

PERCENTILES = ("p50", "p90", "p95", "p99")


def fleet(stats: dict[str, Any]) -> RenderableType:
    """What `/api/guardian/stats` answers."""
    notes = [Text(f"note: {plain(note)}") for note in stats["notes"]]
    return Group(
        Text(_window(stats)),
        facts(_facts(stats)),
        *([Text(), *notes] if notes else []),
    )


def recovery(answer: dict[str, Any], groups: str, key: str, heading: str) -> RenderableType:
    """What `/api/guardian/mttr/by-…` answers: a line for each group, under `groups` by its `key`."""
    table = Grid(
        *(heading, ">incidents", ">open", ">MTTR", "?>p50", "?>p90", "?>p99", "?>RMST"),
        *(">by Guardian", "?>under target", "?>again in 24 h"),
    )
    rows = [(plain(group[key]), group) for group in answer[groups]]
    rest = answer.get("without_playbook")
    if rest and rest["count"]:
        rows.append(("(none)", rest))
    for name, group in rows:
        table.add_row(
            name,
            str(group["count"]),
            toned(str(group["open"]), "bad" if group["open"] else ""),
            *(seconds(group[each]) for each in ("mttr_seconds", "p50", "p90", "p99", "rmst_seconds")),
            *(share(group[each]) for each in ("auto_heal_ratio", "under_target_ratio", "recurrence_24h")),
        )
    text = f"{_window(answer)}; target {seconds(answer['target_seconds'])}"
    return Group(Text(text), table if rows else Text("no incidents"))


def _window(answer: dict[str, Any]) -> str:
    return f"{moment(answer['window']['from'])} to {moment(answer['window']['to'])} {zone()}"


def _facts(stats: dict[str, Any]) -> Iterator[tuple[str, RenderableType]]:
    agents, incidents, executions = stats["agents"], stats["incidents"], stats["executions"]
    yield (
        "agents",
        toned(
            f"{agents['connected']} of {agents['total']} connected, {agents['stale']} stale",
            "warning" if agents["stale"] else "",
        ),
    )
    yield (
        "incidents",
        toned(
            f"{incidents['total']}, {incidents['open']} of them open; healed by Guardian {incidents['auto']}, "
            f"by hand {incidents['manual']}, by themselves {incidents['spontaneous']}",
            "bad" if incidents["open"] else "",
        ),
    )
    yield "", plain(", ".join(f"{name} {count}" for name, count in incidents["by_issue_type"].items()))
    yield "MTTR", seconds(stats["mttr_seconds"]) + interval(stats["mttr_interval"])
    yield "percentiles", ", ".join(f"{name} {seconds(stats[name])}" for name in PERCENTILES)
    yield (
        "RMST",
        f"{seconds(stats['rmst_seconds'])}{interval(stats['rmst_interval'])}, open ones counted, "
        f"up to {seconds(stats['horizon_seconds'])}",
    )
    yield "healed by Guardian", share(stats["auto_heal_ratio"])
    yield f"within {seconds(stats['target_seconds'])}", share(stats["under_target_ratio"])
    yield "again within 24 h", share(stats["recurrence_24h"])
    ended = [f"{count} {outcome}" for outcome, count in executions["by_outcome"].items() if count]
    running = [f"{executions['running']} running"] if executions["running"] else []
    rate = f"; success rate {share(executions['success_rate'])}"
    yield "executions", f"{executions['total']}: {', '.join([*ended, *running])}{rate}" if executions["total"] else "0"
    for layer in stats["layers"]:
        if layer["reason"] != "no_data":
            yield layer_name(layer["layer"]), _health(layer)
    if not stats["coverage"]["complete"]:
        lost, stale = stats["coverage"]["records_lost"], stats["coverage"]["stale_agents"]
        yield "incomplete", toned(f"{several(lost, 'record')} lost, {several(stale, 'agent')} stale", "warning")


def _health(layer: dict[str, Any]) -> Text:
    state = layer["state"]
    if state == "unknown":
        return toned(f"unknown ({plain(layer['reason'])})", "quiet")
    text = f"{state} on {several(layer['hosts'][state], 'host')}"
    for each in layer["failing_conditions"][:3]:
        text += f"; {plain(each['host'])} {plain(each['target'])}: {plain(each['issue_type'])}"
    return toned(text, "good" if state == "ok" else "bad")
