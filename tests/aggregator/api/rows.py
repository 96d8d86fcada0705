"""Rows for the tests: each function makes one with defaults that no test cares about."""

from datetime import UTC, datetime

from guardian_aggregator.model import (
    AgentHello,
    ExecutionRow,
    GapRow,
    IncidentRow,
    PageRow,
    PlaybookRow,
    SelfHealthRow,
    StepRow,
    StreamId,
    TransitionRow,
)

SECOND = 1_000_000_000
NOW = int(datetime(2026, 11, 3, 14, 0, tzinfo=UTC).timestamp()) * SECOND


def ago(seconds):
    return NOW - round(seconds * SECOND)


def hello(agent_id, labels=None, playbooks=()):
    return AgentHello(
        stream=StreamId(agent_id, agent_id.encode().ljust(16, b".")),
        lowest_seq=1,
        next_seq=1,
        boot_id="b7a1f0d2-0c5c-4a39-9f7e-2f1d0a5b9c11",
        agent_version="0.1.0",
        labels=labels or {},
        mode="heal",
        targets=("web",),
        watches=("l1_carrier/web", "l4_listen/web", "l7_http/web", "l5_session/web"),
        playbooks=tuple(playbooks),
    )


def playbook(name, tier=1, family="network", heals=(), counts=(0, 0, 0)):
    executions, successes, failures = counts
    return PlaybookRow(
        id=name,
        family=family,
        tier=tier,
        heals=tuple(heals),
        executions=executions,
        successes=successes,
        failures=failures,
    )


def incident(name, issue_type, first_bad_at, recover_s=None, resolution=None, **changed):
    verified_at = None if recover_s is None else first_bad_at + round(recover_s * SECOND)
    fields = {
        "incident_id": name,
        "agent_id": "web-1",
        "target": "web",
        "issue_type": issue_type,
        "layer": 4,
        "owner_probe": "l4_listen",
        "symptoms": (),
        "explained_by": "",
        "recurrence_of": "",
        "last_good_at": first_bad_at - SECOND,
        "first_bad_at": first_bad_at,
        "detected_at": first_bad_at + SECOND // 100,
        "decided_at": None,
        "action_started_at": None,
        "action_finished_at": None,
        "verified_at": verified_at,
        "closed_at": verified_at,
        "resolution": resolution,
        "recovered_by": "",
        "held": False,
        "exhausted": False,
        "evidence": {"port": 80},
        "time_to_detect_seconds": 0.01,
        "time_to_recover_seconds": recover_s,
        "recover_upper_seconds": None if recover_s is None else recover_s + 1,
        "across_boots": False,
    }
    return IncidentRow(**fields | changed)


def execution(name, incident_id, playbook_id, outcome, started_at, **changed):
    fields = {
        "execution_id": name,
        "incident_id": incident_id,
        "agent_id": "web-1",
        "playbook": playbook_id,
        "target": "web",
        "issue_type": "port_not_listening",
        "outcome": outcome,
        "reason": "the port listens again" if outcome == "healed" else "the port still does not listen",
        "rung": 0,
        "started_at": started_at,
        "finished_at": None if outcome is None else started_at + SECOND,
        "verified_at": started_at + SECOND if outcome == "healed" else None,
        "duration_seconds": None if outcome is None else 1.0,
        "steps": (
            StepRow(index=0, describe="systemctl restart nginx.service", undo_describe="", state="applied", error=""),
        ),
        "evidence": {},
    }
    return ExecutionRow(**fields | changed)


def page(name, incident_id, at, **changed):
    fields = {
        "page_id": name,
        "agent_id": "web-1",
        "incident_id": incident_id,
        "target": "eth0",
        "reason": "ladder_exhausted",
        "text": "eth0 has no carrier; nothing that Guardian may do has helped",
        "at": at,
    }
    return PageRow(**fields | changed)


def transition(agent_id, probe, layer, state, at, issue_type=""):
    return TransitionRow(
        agent_id=agent_id,
        probe=probe,
        target="web",
        layer=layer,
        from_state="unknown",
        to_state=state,
        issue_type=issue_type,
        evidence={},
        at=at,
        first_seen=at - SECOND,
    )


def self_health(agent_id, at, **changed):
    fields = {
        "agent_id": agent_id,
        "at": at,
        "over_seconds": 60.0,
        "cpu_seconds": 0.06,
        "resident_bytes": 41_200_000,
        "loop_lag_worst_seconds": 0.003,
        "waited_for_cpu_seconds": 0.002,
        "looks": 840,
        "looks_unknown": 2,
        "looks_late": 0,
    }
    return SelfHealthRow(**fields | changed)


def gap(agent_id, first_seq, last_seq, at):
    return GapRow(
        agent_id=agent_id,
        first_seq=first_seq,
        last_seq=last_seq,
        reason="outbox_full",
        counts={"transition": last_seq - first_seq + 1},
        at=at,
    )
