"""Facts and records say the same."""

from typing import cast

import pytest
from hypothesis import given
from tests.agent.state.samples import AT, facts, gaps, incidents, stamps, transition

from guardian_agent import model
from guardian_agent.model import Execution, Fact, Incident, Outcome, Stamp, Transition
from guardian_agent.state import Gap
from guardian_agent.uplink.codec import FIELD_LIMITS, RECORD_LIMIT, UnreadableRecordError, decode, encode
from guardian_proto.v1 import records_pb2 as pb
from guardian_proto.v1 import types_pb2 as types

LATER = 99  # an enum value that only a later version knows
COMPUTED = {
    "time_to_detect_seconds",
    "time_to_recover_seconds",
    "recover_upper_seconds",
    "duration_seconds",
    "across_boots",
}


@given(fact=facts | gaps, at=stamps)
def test_what_is_encoded_decodes_to_the_same(fact: Fact | Gap, at: Stamp) -> None:
    assert decode(encode(fact, at)) == (fact, at)


@pytest.mark.parametrize("kind", ["Transition", "Incident", "Execution", "Page", "SelfHealth", "Gap"])
def test_a_struct_and_its_message_have_the_same_fields(kind: str) -> None:
    struct = Gap if kind == "Gap" else getattr(model, kind)
    spoken = set(getattr(pb, kind).DESCRIPTOR.fields_by_name) - COMPUTED
    assert {name.removesuffix("_json").replace("_seconds", "_s") for name in spoken} == set(struct.__struct_fields__)


def test_a_step_and_its_message_have_the_same_fields() -> None:
    fields = {name.removesuffix("_json") for name in pb.Step.DESCRIPTOR.fields_by_name}
    assert fields - {"index"} == set(model.StepRecord.__struct_fields__)


@pytest.mark.parametrize(
    ("enum", "prefix", "zero"),
    [
        (model.Layer, "LAYER", set()),
        (model.Outcome, "OUTCOME", set()),
        (model.Resolution, "RESOLUTION", set()),
        (model.ConditionState, "CONDITION_STATE", {"UNKNOWN"}),  # the word for 0 in the .proto is UNSPECIFIED
        (model.StepState, "STEP_STATE", set()),
    ],
)
def test_both_sides_of_an_enum_have_the_same_words(enum, prefix, zero) -> None:
    proto = getattr(types, enum.__name__)
    words = {name.removeprefix(f"{prefix}_") for name in proto.keys() if proto.Value(name) != 0}  # noqa: SIM118
    assert words == {member.name for member in enum} - zero
    if enum is model.Layer:
        assert all(proto.Value(f"LAYER_{member.name}") == member for member in model.Layer)


@given(incident=incidents)
def test_durations_are_those_of_the_stamps(incident: Incident) -> None:
    message = pb.Record.FromString(encode(incident, AT)).incident
    assert message.time_to_detect_seconds == incident.detected_at.seconds_since(incident.first_bad_at)
    assert message.HasField("time_to_recover_seconds") == (incident.verified_at is not None)
    if incident.verified_at is not None:
        assert message.time_to_recover_seconds == incident.verified_at.seconds_since(incident.first_bad_at)
    both = incident.verified_at is not None and incident.last_good_at is not None
    assert message.HasField("recover_upper_seconds") == both


def _incident(last_good_boot: str, verified: bool) -> Incident:
    first_bad = Stamp("boot-2", 5_000_000_000, 105_000_000_000)
    return Incident(
        incident_id="i",
        target="web",
        issue_type="service_failed",
        layer=model.Layer.HOST,
        owner_probe="host_unit",
        last_good_at=Stamp(last_good_boot, 900_000_000_000, 100_000_000_000),
        first_bad_at=first_bad,
        detected_at=Stamp("boot-2", 6_000_000_000, 0),
        verified_at=Stamp("boot-2", 9_500_000_000, 109_000_000_000) if verified else None,
    )


def test_a_duration_over_a_reboot_is_wall_time_and_flagged() -> None:
    message = pb.Record.FromString(encode(_incident("boot-1", verified=True), AT)).incident
    assert (message.time_to_detect_seconds, message.time_to_recover_seconds) == (1.0, 4.5)
    assert message.recover_upper_seconds == 9.0
    assert message.across_boots


@pytest.mark.parametrize(("boot", "verified"), [("boot-2", True), ("boot-1", False)])
def test_no_flag_without_a_duration_over_a_reboot(boot: str, verified: bool) -> None:
    assert not pb.Record.FromString(encode(_incident(boot, verified), AT)).incident.across_boots


def test_only_a_finished_execution_has_a_duration() -> None:
    execution = Execution(
        execution_id="e", incident_id="i", playbook="p", target="t", issue_type="x", started_at=Stamp("b", 1, 1)
    )
    assert not pb.Record.FromString(encode(execution, AT)).execution.HasField("duration_seconds")
    execution.finished_at, execution.outcome = Stamp("b", 2_500_000_001, 0), Outcome.HEALED
    assert pb.Record.FromString(encode(execution, AT)).execution.duration_seconds == 2.5


def test_evidence_too_long_for_a_message_is_named_not_sent() -> None:
    record, _ = decode(encode(transition(evidence={"log": "x" * FIELD_LIMITS[0]}), AT))
    assert isinstance(record, Transition)
    assert record.evidence == {"omitted_bytes": FIELD_LIMITS[0] + len('{"log":""}')}


def _with_steps(count: int, text: str) -> Execution:
    step = model.StepRecord(describe=text, error=text, operation={"argv": [text]}, undo={"argv": [text]})
    return Execution(
        execution_id="e",
        incident_id="i",
        playbook="p",
        target="t",
        issue_type="x",
        started_at=AT,
        steps=[step] * count,
        reason="é" * 2_000_000,
    )


def test_no_record_is_larger_than_the_aggregator_takes() -> None:
    data = encode(_with_steps(50, "x" * 200_000), AT)
    assert len(data) <= RECORD_LIMIT
    record, _ = decode(data)
    assert isinstance(record, Execution)
    assert len(record.steps) == 50
    assert record.reason == "é" * FIELD_LIMITS[1] + "…"


def test_a_record_that_cannot_be_made_small_enough_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="cannot be sent"):
        encode(_with_steps(10_000, "x" * 300), AT)


def test_evidence_that_is_no_json_is_the_callers_mistake() -> None:
    with pytest.raises(TypeError):
        encode(transition(evidence={"thing": object()}), AT)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"",
        pb.Record(transition=pb.Transition(layer=cast(types.Layer, LATER))).SerializeToString(),
        pb.Record(transition=pb.Transition(layer=types.LAYER_UNSPECIFIED)).SerializeToString(),
        pb.Record(transition=pb.Transition(layer=types.LAYER_PHYSICAL, evidence_json="[]")).SerializeToString(),
        pb.Record(execution=pb.Execution(outcome=cast(types.Outcome, LATER))).SerializeToString(),
    ],
)
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableRecordError):
        decode(data)
