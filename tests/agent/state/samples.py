"""Facts for tests: whole ones made by hand, and any that hypothesis thinks of."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from guardian_agent.model import (
    ConditionState,
    Execution,
    Incident,
    Layer,
    Outcome,
    Page,
    Resolution,
    SelfHealth,
    Stamp,
    StepRecord,
    StepState,
    Transition,
)
from guardian_agent.state import Gap

UINT64 = st.integers(0, 2**64 - 1)

texts = st.text(st.characters(codec="utf-8"), max_size=20)
stamps = st.builds(Stamp, boot_id=texts, boottime_ns=UINT64, wall_ns=st.integers(0, 2**63 - 1))  # wall: to 2262
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
evidences: st.SearchStrategy[dict[str, Any]] = st.dictionaries(texts, json_values, max_size=3)

transitions = st.builds(
    Transition,
    probe=texts,
    target=texts,
    layer=st.sampled_from(Layer),
    from_state=st.sampled_from(ConditionState),
    to_state=st.sampled_from(ConditionState),
    issue_type=texts,
    evidence=evidences,
    first_seen=stamps,
)
incidents = st.builds(
    Incident,
    incident_id=texts,
    target=texts,
    issue_type=texts,
    layer=st.sampled_from(Layer),
    owner_probe=texts,
    first_bad_at=stamps,
    detected_at=stamps,
    last_good_at=st.none() | stamps,
    decided_at=st.none() | stamps,
    action_started_at=st.none() | stamps,
    action_finished_at=st.none() | stamps,
    verified_at=st.none() | stamps,
    closed_at=st.none() | stamps,
    symptoms=st.lists(texts, max_size=3),
    explained_by=texts,
    recurrence_of=texts,
    resolution=st.none() | st.sampled_from(Resolution),
    recovered_by=texts,
    held=st.booleans(),
    exhausted=st.booleans(),
    evidence=evidences,
)
steps = st.builds(
    StepRecord,
    describe=texts,
    undo_describe=texts,
    state=st.sampled_from(StepState),
    error=texts,
    operation=evidences,
    undo=st.none() | evidences,
)
executions = st.builds(
    Execution,
    execution_id=texts,
    incident_id=texts,
    playbook=texts,
    target=texts,
    issue_type=texts,
    started_at=stamps,
    rung=st.integers(0, 2**32 - 1),
    outcome=st.none() | st.sampled_from(Outcome),
    reason=texts,
    finished_at=st.none() | stamps,
    verified_at=st.none() | stamps,
    steps=st.lists(steps, max_size=3),
    evidence=evidences,
)
pages = st.builds(Page, page_id=texts, incident_id=texts, target=texts, reason=texts, text=texts)
spans_s = st.floats(0.0, 1e9)
self_healths = st.builds(
    SelfHealth,
    over_s=spans_s,
    cpu_s=spans_s,
    resident_bytes=UINT64,
    loop_lag_worst_s=spans_s,
    waited_for_cpu_s=spans_s,
    looks=UINT64,
    looks_unknown=UINT64,
    looks_late=UINT64,
)
gaps = st.builds(
    Gap,
    first_seq=UINT64,
    last_seq=UINT64,
    reason=texts,
    counts=st.dictionaries(texts, UINT64, max_size=4),
    last_chain=st.binary(min_size=32, max_size=32),
)
facts = transitions | incidents | executions | pages | self_healths


@dataclass
class Clock:
    """A clock that ticks one second at each look."""

    boot_id: str = "boot-1"
    seconds: int = 0

    def __call__(self) -> Stamp:
        self.seconds += 1
        return Stamp(self.boot_id, self.seconds * 10**9, (1_800_000_000 + self.seconds) * 10**9)


AT = Clock()()


def transition(number: int = 0, evidence: dict[str, Any] | None = None) -> Transition:
    return Transition(
        probe="l3_gateway",
        target=f"web-{number}",
        layer=Layer.NETWORK,
        from_state=ConditionState.OK,
        to_state=ConditionState.FAILING,
        issue_type="gateway_unreachable",
        evidence=evidence or {"number": number},
        first_seen=AT,
    )


def incident(incident_id: str, *, closed: bool = False) -> Incident:
    return Incident(
        incident_id=incident_id,
        target="web",
        issue_type="service_failed",
        layer=Layer.HOST,
        owner_probe="host_unit",
        first_bad_at=AT,
        detected_at=AT,
        closed_at=AT if closed else None,
    )


def execution(execution_id: str, outcome: Outcome | None = None, playbook: str = "restart_service") -> Execution:
    return Execution(
        execution_id=execution_id,
        incident_id="incident-1",
        playbook=playbook,
        target="web",
        issue_type="service_failed",
        started_at=AT,
        outcome=outcome,
    )


def page(page_id: str) -> Page:
    return Page(page_id=page_id, incident_id="incident-1", target="web", reason="stuck", text="look here")
