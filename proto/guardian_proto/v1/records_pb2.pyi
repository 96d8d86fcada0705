from guardian_proto.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Record(_message.Message):
    __slots__ = ("stamp", "transition", "incident", "execution", "self_health", "gap", "page")
    STAMP_FIELD_NUMBER: _ClassVar[int]
    TRANSITION_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    SELF_HEALTH_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    stamp: _types_pb2.Stamp
    transition: Transition
    incident: Incident
    execution: Execution
    self_health: SelfHealth
    gap: Gap
    page: Page
    def __init__(self, stamp: _Optional[_Union[_types_pb2.Stamp, _Mapping]] = ..., transition: _Optional[_Union[Transition, _Mapping]] = ..., incident: _Optional[_Union[Incident, _Mapping]] = ..., execution: _Optional[_Union[Execution, _Mapping]] = ..., self_health: _Optional[_Union[SelfHealth, _Mapping]] = ..., gap: _Optional[_Union[Gap, _Mapping]] = ..., page: _Optional[_Union[Page, _Mapping]] = ...) -> None: ...

class Transition(_message.Message):
    __slots__ = ("probe", "target", "layer", "from_state", "to_state", "issue_type", "evidence_json", "first_seen")
    PROBE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    FROM_STATE_FIELD_NUMBER: _ClassVar[int]
    TO_STATE_FIELD_NUMBER: _ClassVar[int]
    ISSUE_TYPE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_JSON_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEEN_FIELD_NUMBER: _ClassVar[int]
    probe: str
    target: str
    layer: _types_pb2.Layer
    from_state: _types_pb2.ConditionState
    to_state: _types_pb2.ConditionState
    issue_type: str
    evidence_json: str
    first_seen: _types_pb2.Stamp
    def __init__(self, probe: _Optional[str] = ..., target: _Optional[str] = ..., layer: _Optional[_Union[_types_pb2.Layer, str]] = ..., from_state: _Optional[_Union[_types_pb2.ConditionState, str]] = ..., to_state: _Optional[_Union[_types_pb2.ConditionState, str]] = ..., issue_type: _Optional[str] = ..., evidence_json: _Optional[str] = ..., first_seen: _Optional[_Union[_types_pb2.Stamp, _Mapping]] = ...) -> None: ...

class Incident(_message.Message):
    __slots__ = ("incident_id", "target", "issue_type", "layer", "owner_probe", "symptoms", "explained_by", "recurrence_of", "last_good_at", "first_bad_at", "detected_at", "decided_at", "action_started_at", "action_finished_at", "verified_at", "closed_at", "resolution", "recovered_by", "held", "exhausted", "evidence_json", "time_to_detect_seconds", "time_to_recover_seconds", "recover_upper_seconds", "across_boots")
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    ISSUE_TYPE_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    OWNER_PROBE_FIELD_NUMBER: _ClassVar[int]
    SYMPTOMS_FIELD_NUMBER: _ClassVar[int]
    EXPLAINED_BY_FIELD_NUMBER: _ClassVar[int]
    RECURRENCE_OF_FIELD_NUMBER: _ClassVar[int]
    LAST_GOOD_AT_FIELD_NUMBER: _ClassVar[int]
    FIRST_BAD_AT_FIELD_NUMBER: _ClassVar[int]
    DETECTED_AT_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    ACTION_STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    ACTION_FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_AT_FIELD_NUMBER: _ClassVar[int]
    CLOSED_AT_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    RECOVERED_BY_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    EXHAUSTED_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_JSON_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_DETECT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_RECOVER_SECONDS_FIELD_NUMBER: _ClassVar[int]
    RECOVER_UPPER_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ACROSS_BOOTS_FIELD_NUMBER: _ClassVar[int]
    incident_id: str
    target: str
    issue_type: str
    layer: _types_pb2.Layer
    owner_probe: str
    symptoms: _containers.RepeatedScalarFieldContainer[str]
    explained_by: str
    recurrence_of: str
    last_good_at: _types_pb2.Stamp
    first_bad_at: _types_pb2.Stamp
    detected_at: _types_pb2.Stamp
    decided_at: _types_pb2.Stamp
    action_started_at: _types_pb2.Stamp
    action_finished_at: _types_pb2.Stamp
    verified_at: _types_pb2.Stamp
    closed_at: _types_pb2.Stamp
    resolution: _types_pb2.Resolution
    recovered_by: str
    held: bool
    exhausted: bool
    evidence_json: str
    time_to_detect_seconds: float
    time_to_recover_seconds: float
    recover_upper_seconds: float
    across_boots: bool
    def __init__(self, incident_id: _Optional[str] = ..., target: _Optional[str] = ..., issue_type: _Optional[str] = ..., layer: _Optional[_Union[_types_pb2.Layer, str]] = ..., owner_probe: _Optional[str] = ..., symptoms: _Optional[_Iterable[str]] = ..., explained_by: _Optional[str] = ..., recurrence_of: _Optional[str] = ..., last_good_at: _Optional[_Union[_types_pb2.Stamp, _Mapping]] = ..., first_bad_at: _Optional[_Union[_types_pb2.Stamp, _Mapping]] = ..., detected_at: _Optional[_Union[_types_pb2.Stamp, _Mapping]] = ..., decided_at: _Optional[_Union[_types_pb2.Stamp, _Mapping]] = ..., action_started_at: _Optional[_Union[_types_pb2.Stamp, _Mapping]] = ..., action_finished_at: _Optional[_Union[_types_pb2.Stamp, _Mapping]] = ..., verified_at: _Optional[_Union[_types_pb2.Stamp, _Mapping]] = ..., closed_at: _Optional[_Union[_types_pb2.Stamp, _Mapping]] = ..., resolution: _Optional[_Union[_types_pb2.Resolution, str]] = ..., recovered_by: _Optional[str] = ..., held: bool = ..., exhausted: bool = ..., evidence_json: _Optional[str] = ..., time_to_detect_seconds: _Optional[float] = ..., time_to_recover_seconds: _Optional[float] = ..., recover_upper_seconds: _Optional[float] = ..., across_boots: bool = ...) -> None: ...

class Execution(_message.Message):
    __slots__ = ("execution_id", "incident_id", "playbook", "target", "issue_type", "outcome", "reason", "started_at", "finished_at", "steps", "rung", "verified_at", "duration_seconds", "evidence_json")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    PLAYBOOK_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    ISSUE_TYPE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    RUNG_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_AT_FIELD_NUMBER: _ClassVar[int]
    DURATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_JSON_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    incident_id: str
    playbook: str
    target: str
    issue_type: str
    outcome: _types_pb2.Outcome
    reason: str
    started_at: _types_pb2.Stamp
    finished_at: _types_pb2.Stamp
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    rung: int
    verified_at: _types_pb2.Stamp
    duration_seconds: float
    evidence_json: str
    def __init__(self, execution_id: _Optional[str] = ..., incident_id: _Optional[str] = ..., playbook: _Optional[str] = ..., target: _Optional[str] = ..., issue_type: _Optional[str] = ..., outcome: _Optional[_Union[_types_pb2.Outcome, str]] = ..., reason: _Optional[str] = ..., started_at: _Optional[_Union[_types_pb2.Stamp, _Mapping]] = ..., finished_at: _Optional[_Union[_types_pb2.Stamp, _Mapping]] = ..., steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., rung: _Optional[int] = ..., verified_at: _Optional[_Union[_types_pb2.Stamp, _Mapping]] = ..., duration_seconds: _Optional[float] = ..., evidence_json: _Optional[str] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("index", "describe", "undo_describe", "state", "error", "operation_json", "undo_json")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    DESCRIBE_FIELD_NUMBER: _ClassVar[int]
    UNDO_DESCRIBE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    OPERATION_JSON_FIELD_NUMBER: _ClassVar[int]
    UNDO_JSON_FIELD_NUMBER: _ClassVar[int]
    index: int
    describe: str
    undo_describe: str
    state: _types_pb2.StepState
    error: str
    operation_json: str
    undo_json: str
    def __init__(self, index: _Optional[int] = ..., describe: _Optional[str] = ..., undo_describe: _Optional[str] = ..., state: _Optional[_Union[_types_pb2.StepState, str]] = ..., error: _Optional[str] = ..., operation_json: _Optional[str] = ..., undo_json: _Optional[str] = ...) -> None: ...

class Page(_message.Message):
    __slots__ = ("page_id", "incident_id", "target", "reason", "text")
    PAGE_ID_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    page_id: str
    incident_id: str
    target: str
    reason: str
    text: str
    def __init__(self, page_id: _Optional[str] = ..., incident_id: _Optional[str] = ..., target: _Optional[str] = ..., reason: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class SelfHealth(_message.Message):
    __slots__ = ("over_seconds", "cpu_seconds", "resident_bytes", "loop_lag_worst_seconds", "waited_for_cpu_seconds", "looks", "looks_unknown", "looks_late")
    OVER_SECONDS_FIELD_NUMBER: _ClassVar[int]
    CPU_SECONDS_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    LOOP_LAG_WORST_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WAITED_FOR_CPU_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LOOKS_FIELD_NUMBER: _ClassVar[int]
    LOOKS_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    LOOKS_LATE_FIELD_NUMBER: _ClassVar[int]
    over_seconds: float
    cpu_seconds: float
    resident_bytes: int
    loop_lag_worst_seconds: float
    waited_for_cpu_seconds: float
    looks: int
    looks_unknown: int
    looks_late: int
    def __init__(self, over_seconds: _Optional[float] = ..., cpu_seconds: _Optional[float] = ..., resident_bytes: _Optional[int] = ..., loop_lag_worst_seconds: _Optional[float] = ..., waited_for_cpu_seconds: _Optional[float] = ..., looks: _Optional[int] = ..., looks_unknown: _Optional[int] = ..., looks_late: _Optional[int] = ...) -> None: ...

class Gap(_message.Message):
    __slots__ = ("first_seq", "last_seq", "reason", "counts", "last_chain")
    class CountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    FIRST_SEQ_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    LAST_CHAIN_FIELD_NUMBER: _ClassVar[int]
    first_seq: int
    last_seq: int
    reason: str
    counts: _containers.ScalarMap[str, int]
    last_chain: bytes
    def __init__(self, first_seq: _Optional[int] = ..., last_seq: _Optional[int] = ..., reason: _Optional[str] = ..., counts: _Optional[_Mapping[str, int]] = ..., last_chain: _Optional[bytes] = ...) -> None: ...
