"""What the API answers, cut down to a fleet of one host."""

from typing import Any

Json = dict[str, Any]

INTERVALS = ("mttr_interval", "rmst_interval", "geometric_mean_interval", "auto_heal_interval")
SECONDS = ("mttr_seconds", "p50", "p90", "p95", "p99", "rmst_seconds", "horizon_seconds", "geometric_mean_seconds")
SHARES = ("under_target_ratio", "auto_heal_ratio", "recurrence_24h", "minimum_detectable_ratio")
WINDOW = {"from": "2026-11-21T03:00:00Z", "to": "2026-11-22T03:00:00Z"}


def recovery(count: int = 1, **changes: Any) -> Json:
    """The recovery statistics of a group."""
    nothing: Json = dict.fromkeys((*INTERVALS, *SECONDS, *SHARES))
    coverage = {"complete": True, "gaps": 0, "records_lost": 0, "lost_by_kind": {}, "stale_agents": 0}
    return nothing | {"count": count, "open": 0, "notes": [], "coverage": coverage} | changes


def stats(**changes: Any) -> Json:
    told = {
        "window": WINDOW,
        "agents": {"total": 1, "connected": 1, "stale": 0},
        "incidents": {"total": 1, "open": 0, "auto": 1, "manual": 0, "spontaneous": 0, "by_issue_type": {}},
        "executions": {"total": 0, "running": 0, "by_outcome": {"healed": 0}, "success_rate": None},
        "layers": [layer(4, "transport", "ok"), layer(1, "physical", "unknown")],
        "target_seconds": 120.0,
        "method_version": 1,
    }
    return recovery() | told | changes


def layer(number: int, name: str, state: str, **changes: Any) -> Json:
    counts = {"ok": 0, "failing": 0, "unknown": 0}
    if state != "unknown":
        counts[state] = 1
    reason = "no_data" if state == "unknown" else None
    told: Json = {"layer": number, "name": name, "state": state, "reason": reason, "failing_conditions": []}
    return told | {"hosts": counts, "conditions": counts} | changes


def incident(**changes: Any) -> Json:
    """One that was healed in half a second."""
    second = "2026-11-22T02:59:01."
    told = {
        "id": "01a204ed-9266-7617-9848-3007d8babb9f",
        "host": "web-1",
        "target": "web",
        "issue_type": "process_crashed",
        "layer": 8,
        "owner_probe": "host_process",
        "symptoms": ["connection_refused"],
        "open": False,
        "counted": True,
        "held": False,
        "exhausted": False,
        "explained_by": None,
        "recurrence_of": None,
        "resolution": "auto",
        "recovered_by": "restart_component",
        "playbook": "restart_component",
        "last_good_at": "2026-11-22T02:59:00Z",
        "first_bad_at": f"{second}000000Z",
        "detected_at": f"{second}010000Z",
        "decided_at": f"{second}020000Z",
        "action_started_at": f"{second}030000Z",
        "action_finished_at": f"{second}040000Z",
        "verified_at": f"{second}500000Z",
        "closed_at": f"{second}600000Z",
        "time_to_detect_seconds": 0.01,
        "time_to_recover_seconds": 0.5,
        "recover_upper_seconds": 1.5,
        "across_boots": False,
        "evidence": {"pid": 7, "exit_code": None},
        "executions": [execution()],
    }
    return told | changes


def execution(**changes: Any) -> Json:
    told = {
        "id": "01a204ed-b42a-7a6c-9313-c6673ba0726d",
        "playbook": "restart_component",
        "outcome": "healed",
        "reason": "host_process is good again",
        "rung": 0,
        "started_at": "2026-11-22T02:59:01.030000Z",
        "finished_at": "2026-11-22T02:59:01.550000Z",
        "duration_seconds": 0.52,
        "steps": [{"index": 0, "describe": "start web", "undo": None, "state": "applied", "error": None}],
    }
    return told | changes


def diagnosis(**changes: Any) -> Json:
    told = {"playbook": "diagnose_network", "outcome": "completed", "steps": [], "reason": "The host is to blame."}
    return execution(**told) | changes


def host(**changes: Any) -> Json:
    told = {
        "id": "web-1",
        "labels": {"site": "ams"},
        "version": "0.1.0",
        "mode": "heal",
        "targets": ["web", "db"],
        "connected": True,
        "stale": False,
        "first_seen_at": "2026-11-21T00:00:00Z",
        "last_seen_at": "2026-11-22T02:00:00Z",
    }
    return told | changes


def playbook(**changes: Any) -> Json:
    told = {
        "id": "restart_component",
        "family": "network",
        "tier": 1,
        "heals": ["process_crashed"],
        "hosts": 1,
        "executions": {"total": 3, "running": 0, "by_outcome": {"healed": 2}, "success_rate": 2 / 3},
        "success_rate": 2 / 3,
        "last_run_at": None,
    }
    return told | changes
