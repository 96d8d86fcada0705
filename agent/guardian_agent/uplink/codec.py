"""Facts and gaps as protobuf records, and back.

A field of a struct is the message's field of the same name, `NAME_s` its `NAME_seconds`; a JSON object is the message's
`NAME_json`.
"""

from enum import Enum
from typing import Any, TypeVar

import msgspec
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from guardian_agent.errors import GuardianError
from guardian_agent.model import (
    ConditionState,
    Execution,
    Fact,
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
from guardian_proto.v1 import records_pb2 as pb
from guardian_proto.v1 import types_pb2 as types

RECORD_LIMIT = 1 << 20  # bytes; the aggregator takes no larger ones, and one that it refuses would stop all that follow
FIELD_LIMITS = (256 << 10, 8 << 10, 256)  # bytes of one text or JSON object; the next one when the record is too large

S = TypeVar("S", bound=msgspec.Struct)

_PREFIXES: dict[type[Enum], str] = {
    Layer: "LAYER",
    Outcome: "OUTCOME",
    Resolution: "RESOLUTION",
    ConditionState: "CONDITION_STATE",
    StepState: "STEP_STATE",
}
_ZERO: dict[type[Enum], Enum | None] = {Outcome: None, Resolution: None, ConditionState: ConditionState.UNKNOWN}


def _numbers(enum: type[Enum]) -> dict[Enum | None, int]:
    zero = {_ZERO[enum]: 0} if enum in _ZERO else {}
    return zero | {member: getattr(types, f"{_PREFIXES[enum]}_{member.name}") for member in enum if member not in zero}


_NUMBERS = {enum: _numbers(enum) for enum in _PREFIXES}
_MEMBERS: dict[str, dict[int, Enum | None]] = {
    getattr(types, enum.__name__).DESCRIPTOR.full_name: {number: member for member, number in numbers.items()}
    for enum, numbers in _NUMBERS.items()
}
_KINDS: tuple[type[Fact | Gap], ...] = (Transition, Incident, Execution, Page, SelfHealth, Gap)
_FACTS = {kind.record_kind: kind for kind in _KINDS}


class UnreadableRecordError(GuardianError):
    """Bytes are not a record that this version can read."""


def encode(fact: Fact | Gap, at: Stamp) -> bytes:
    """The record as the outbox stores it and the stream sends it; `at` is when it was recorded.

    What is too long is cut: texts at their end, a JSON object is replaced by one that says how long it was.

    Raises:
        TypeError, ValueError: a value cannot be written: evidence that is no JSON, text that is no Unicode, a record
            that stays above `RECORD_LIMIT` when each of its fields is short.
    """
    for field_limit in FIELD_LIMITS:
        data = _encode(fact, at, field_limit)
        if len(data) <= RECORD_LIMIT:
            return data
    raise ValueError(f"a record of {len(data)} bytes cannot be sent, only {RECORD_LIMIT}")


def _encode(fact: Fact | Gap, at: Stamp, field_limit: int) -> bytes:
    record = pb.Record(stamp=stamp_message(at))
    message = getattr(record, fact.record_kind)
    message.SetInParent()
    _fill(message, fact, field_limit)
    if isinstance(fact, Incident):
        _add_durations(message, fact)
    elif isinstance(fact, Execution) and fact.finished_at is not None:
        message.duration_seconds = fact.finished_at.seconds_since(fact.started_at)
    return record.SerializeToString()


def decode(data: bytes) -> tuple[Fact | Gap, Stamp]:
    """What `encode` was given.

    Raises:
        UnreadableRecordError: not a record, or of a kind or with an enum value that this version does not know.
    """
    try:
        record = pb.Record.FromString(data)
    except DecodeError as error:
        raise UnreadableRecordError(f"not a record: {error}") from error
    kind = record.WhichOneof("kind")
    if kind not in _FACTS:
        raise UnreadableRecordError("a record of a kind that this version does not know")
    return _read(getattr(record, kind), _FACTS[kind]), _read(record.stamp, Stamp)


def stamp_message(stamp: Stamp) -> types.Stamp:
    """The three clocks as a message."""
    return types.Stamp(boot_id=stamp.boot_id, boottime_ns=stamp.boottime_ns, wall_ns=stamp.wall_ns)


def _spoken(name: str) -> str:
    """What a struct's field is called in the message."""
    return f"{name}econds" if name.endswith("_s") else name


def _fill(message: Any, struct: msgspec.Struct, limit: int) -> None:
    for field in struct.__struct_fields__:
        value, name = getattr(struct, field), _spoken(field)
        if name == "steps":
            for index, step in enumerate(value):
                _fill(message.steps.add(index=index), step, limit)
        elif f"{name}_json" in message.DESCRIPTOR.fields_by_name:
            if value is not None:
                setattr(message, f"{name}_json", _json(value, limit))
        else:
            _set(message, name, value, limit)


def _set(message: Any, name: str, value: Any, limit: int) -> None:
    match value:
        case None:
            pass
        case Stamp():
            getattr(message, name).CopyFrom(stamp_message(value))
        case Enum():
            setattr(message, name, _NUMBERS[type(value)][value])
        case list():
            getattr(message, name).extend(value)
        case dict():
            getattr(message, name).update(value)
        case str() if len(value) > limit:
            setattr(message, name, value[:limit] + "…")
        case _:
            setattr(message, name, value)


def _json(value: dict[str, Any], limit: int) -> str:
    text = msgspec.json.encode(value)
    if len(text) > limit:
        text = msgspec.json.encode({"omitted_bytes": len(text)})
    return text.decode()


def _add_durations(message: pb.Incident, incident: Incident) -> None:
    spans = {
        "time_to_detect_seconds": (incident.detected_at, incident.first_bad_at),
        "time_to_recover_seconds": (incident.verified_at, incident.first_bad_at),
        "recover_upper_seconds": (incident.verified_at, incident.last_good_at),
    }
    for name, (end, begin) in spans.items():
        if end is not None and begin is not None:
            setattr(message, name, end.seconds_since(begin))
            message.across_boots |= end.boot_id != begin.boot_id


def _read(message: Message, struct: type[S]) -> S:
    return struct(**{name: _read_field(message, _spoken(name)) for name in struct.__struct_fields__})


def _read_field(message: Message, name: str) -> Any:
    fields = message.DESCRIPTOR.fields_by_name
    if name not in fields:
        text = getattr(message, f"{name}_json")
        try:
            return msgspec.json.decode(text, type=dict[str, Any]) if text else None if name == "undo" else {}
        except msgspec.DecodeError as error:
            raise UnreadableRecordError(f"{name}_json is no JSON object: {error}") from error
    value, field = getattr(message, name), fields[name]
    if name == "steps":
        return [_read(step, StepRecord) for step in value]
    if name == "counts":
        return dict(value)
    if field.is_repeated:
        return list(value)
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return _read(value, Stamp) if message.HasField(name) else None
    if field.enum_type is not None:
        members = _MEMBERS[field.enum_type.full_name]
        if value not in members:
            raise UnreadableRecordError(f"{name} has the value {value}, which this version does not know")
        return members[value]
    return value
