"""One record of the wire as a row of the model; what a reader must not trust is checked here, and only here."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from guardian_aggregator.model import (
    MAX_INTEGER,
    ConditionState,
    ExecutionRow,
    GapRow,
    IncidentRow,
    Layer,
    Outcome,
    PageRow,
    Resolution,
    Row,
    SelfHealthRow,
    StepRow,
    StepState,
    TransitionRow,
)
from guardian_proto.v1 import records_pb2, types_pb2

T = TypeVar("T")
_MAX_ID = 64
_MAX_PARTS = 200  # steps of an execution, symptoms of an incident; the record itself is kept whole
_EVIDENCE_KEPT = 500
_CENTURY_S = 100 * 365.25 * 86_400
_SHORTEST_S = 0.001  # that a measurement can be about: shares of less are no numbers to show

_OUTCOMES: dict[int, str] = {types_pb2.Outcome.Value(f"OUTCOME_{word.name}"): word.value for word in Outcome}
_RESOLUTIONS: dict[int, str] = {
    types_pb2.Resolution.Value(f"RESOLUTION_{word.name}"): word.value for word in Resolution
}
_STEP_STATES: dict[int, str] = {types_pb2.StepState.Value(f"STEP_STATE_{word.name}"): word.value for word in StepState}
_CONDITION_STATES: dict[int, str] = {
    types_pb2.CONDITION_STATE_UNSPECIFIED: ConditionState.UNKNOWN.value,
    types_pb2.CONDITION_STATE_OK: ConditionState.OK.value,
    types_pb2.CONDITION_STATE_FAILING: ConditionState.FAILING.value,
}
_LAYERS = frozenset(int(layer) for layer in Layer)


class RowReader:
    """Makes the row of one record of `agent_id`; counts enum values it has no word for and parts it left out."""

    def __init__(self, agent_id: str, received_at: int) -> None:
        self._agent_id = agent_id
        self._received_at = received_at
        self.unknown_values = 0
        self.truncated = 0

    def row(self, record: records_pb2.Record, kind: str) -> Row | None:
        """The row of a record of a known kind; None when it lacks what the row cannot be without: an id, a time."""
        at = time_of(record.stamp) or self._received_at
        match kind:
            case "incident":
                return self._incident(record.incident)
            case "execution":
                return self._execution(record.execution)
            case "transition":
                return self._transition(record.transition, at)
            case "page":
                return self._page(record.page, at)
            case "self_health":
                return self._self_health(record.self_health, at)
            case "gap":
                return self._gap(record.gap, at)
        return None

    def _incident(self, incident: records_pb2.Incident) -> IncidentRow | None:
        first_bad_at, detected_at = time_of(incident.first_bad_at), time_of(incident.detected_at)
        if not _is_id(incident.incident_id) or first_bad_at is None or detected_at is None:
            return None
        return IncidentRow(
            incident_id=incident.incident_id,
            agent_id=self._agent_id,
            target=incident.target,
            issue_type=incident.issue_type,
            layer=self._layer(incident.layer),
            owner_probe=incident.owner_probe,
            symptoms=tuple(self._first(incident.symptoms)),
            explained_by=incident.explained_by,
            recurrence_of=incident.recurrence_of,
            last_good_at=time_of(incident.last_good_at),
            first_bad_at=first_bad_at,
            detected_at=detected_at,
            decided_at=time_of(incident.decided_at),
            action_started_at=time_of(incident.action_started_at),
            action_finished_at=time_of(incident.action_finished_at),
            verified_at=time_of(incident.verified_at),
            closed_at=time_of(incident.closed_at),
            resolution=self._word(incident.resolution, _RESOLUTIONS),
            recovered_by=incident.recovered_by,
            held=incident.held,
            exhausted=incident.exhausted,
            evidence=_evidence(incident.evidence_json),
            time_to_detect_seconds=_seconds(incident, "time_to_detect_seconds"),
            time_to_recover_seconds=_seconds(incident, "time_to_recover_seconds"),
            recover_upper_seconds=_seconds(incident, "recover_upper_seconds"),
            across_boots=incident.across_boots,
        )

    def _execution(self, execution: records_pb2.Execution) -> ExecutionRow | None:
        started_at = time_of(execution.started_at)
        if not _is_id(execution.execution_id) or started_at is None:
            return None
        return ExecutionRow(
            execution_id=execution.execution_id,
            incident_id=execution.incident_id,
            agent_id=self._agent_id,
            playbook=execution.playbook,
            target=execution.target,
            issue_type=execution.issue_type,
            outcome=self._word(execution.outcome, _OUTCOMES),
            reason=execution.reason,
            rung=execution.rung,
            started_at=started_at,
            finished_at=time_of(execution.finished_at),
            verified_at=time_of(execution.verified_at),
            duration_seconds=_seconds(execution, "duration_seconds"),
            steps=tuple(self._step(step) for step in self._first(execution.steps)),
            evidence=_evidence(execution.evidence_json),
        )

    def _step(self, step: records_pb2.Step) -> StepRow:
        return StepRow(
            index=step.index,
            describe=step.describe,
            undo_describe=step.undo_describe,
            state=self._word(step.state, _STEP_STATES) or "unknown",
            error=step.error,
        )

    def _transition(self, transition: records_pb2.Transition, at: int) -> TransitionRow | None:
        if not transition.probe:
            return None
        return TransitionRow(
            agent_id=self._agent_id,
            probe=transition.probe,
            target=transition.target,
            layer=self._layer(transition.layer),
            from_state=self._word(transition.from_state, _CONDITION_STATES) or "",
            to_state=self._word(transition.to_state, _CONDITION_STATES) or "",
            issue_type=transition.issue_type,
            evidence=_evidence(transition.evidence_json),
            at=at,
            first_seen=time_of(transition.first_seen) or at,
        )

    def _page(self, page: records_pb2.Page, at: int) -> PageRow | None:
        if not _is_id(page.page_id):
            return None
        return PageRow(
            page_id=page.page_id,
            agent_id=self._agent_id,
            incident_id=page.incident_id,
            target=page.target,
            reason=page.reason,
            text=page.text,
            at=at,
        )

    def _self_health(self, health: records_pb2.SelfHealth, at: int) -> SelfHealthRow | None:
        """None where a time is none, or it is about no time at all."""
        over, cpu = health.over_seconds, health.cpu_seconds
        lag, waited = health.loop_lag_worst_seconds, health.waited_for_cpu_seconds
        if not all(0 <= seconds <= _CENTURY_S for seconds in (over, cpu, lag, waited)) or over < _SHORTEST_S:
            return None
        return SelfHealthRow(
            agent_id=self._agent_id,
            at=at,
            over_seconds=over,
            cpu_seconds=cpu,
            resident_bytes=min(health.resident_bytes, MAX_INTEGER),
            loop_lag_worst_seconds=lag,
            waited_for_cpu_seconds=waited,
            looks=min(health.looks, MAX_INTEGER),
            looks_unknown=min(health.looks_unknown, MAX_INTEGER),
            looks_late=min(health.looks_late, MAX_INTEGER),
        )

    def _gap(self, gap: records_pb2.Gap, at: int) -> GapRow:
        return GapRow(
            agent_id=self._agent_id,
            first_seq=gap.first_seq,
            last_seq=gap.last_seq,
            reason=gap.reason,
            counts={kind: min(number, MAX_INTEGER) for kind, number in gap.counts.items()},
            at=at,
        )

    def _first(self, parts: Sequence[T]) -> Sequence[T]:
        """As many as a row may have."""
        self.truncated += max(0, len(parts) - _MAX_PARTS)
        return parts[:_MAX_PARTS]

    def _word(self, number: int, words: dict[int, str]) -> str | None:
        """The word of an enum's number; None for an unspecified one that has none."""
        word = words.get(number)
        if word is None and number != 0:
            self.unknown_values += 1
            return f"unknown_{number}"
        return word

    def _layer(self, number: int) -> int:
        if number not in _LAYERS:
            self.unknown_values += 1
        return number


def time_of(stamp: types_pb2.Stamp) -> int | None:
    """Wall nanoseconds; None for a stamp that is not there or cannot be a time."""
    wall_ns = stamp.wall_ns
    return wall_ns if 0 < wall_ns <= MAX_INTEGER else None


def _seconds(message: records_pb2.Incident | records_pb2.Execution, field: str) -> float | None:
    """An optional duration; None for what is not one (negative, longer than a century, not a number)."""
    value = float(getattr(message, field)) if message.HasField(field) else -1.0
    return value if 0 <= value <= _CENTURY_S else None


def _evidence(text: str) -> dict[str, Any]:
    """The JSON object in `text`; text that is none is kept, cut short, under a name of its own."""
    if not text:
        return {}
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {"unreadable": text[:_EVIDENCE_KEPT]}
    return value if isinstance(value, dict) else {"value": value}


def _is_id(text: str) -> bool:
    return 0 < len(text) <= _MAX_ID
