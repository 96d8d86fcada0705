from guardian_proto.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FromAgent(_message.Message):
    __slots__ = ("hello", "batch")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    batch: Batch
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., batch: _Optional[_Union[Batch, _Mapping]] = ...) -> None: ...

class FromAggregator(_message.Message):
    __slots__ = ("welcome", "ack", "refusal")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    ack: Ack
    refusal: Refusal
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("agent_id", "epoch", "lowest_seq", "next_seq", "now", "agent_version", "protocol_version", "labels", "playbooks", "targets", "mode", "watches")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LOWEST_SEQ_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQ_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    AGENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PLAYBOOKS_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    WATCHES_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    epoch: bytes
    lowest_seq: int
    next_seq: int
    now: _types_pb2.Stamp
    agent_version: str
    protocol_version: str
    labels: _containers.ScalarMap[str, str]
    playbooks: _containers.RepeatedCompositeFieldContainer[PlaybookInfo]
    targets: _containers.RepeatedScalarFieldContainer[str]
    mode: str
    watches: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, agent_id: _Optional[str] = ..., epoch: _Optional[bytes] = ..., lowest_seq: _Optional[int] = ..., next_seq: _Optional[int] = ..., now: _Optional[_Union[_types_pb2.Stamp, _Mapping]] = ..., agent_version: _Optional[str] = ..., protocol_version: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., playbooks: _Optional[_Iterable[_Union[PlaybookInfo, _Mapping]]] = ..., targets: _Optional[_Iterable[str]] = ..., mode: _Optional[str] = ..., watches: _Optional[_Iterable[str]] = ...) -> None: ...

class PlaybookInfo(_message.Message):
    __slots__ = ("id", "family", "tier", "heals", "executions", "successes", "failures")
    ID_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    HEALS_FIELD_NUMBER: _ClassVar[int]
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    SUCCESSES_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    id: str
    family: str
    tier: int
    heals: _containers.RepeatedScalarFieldContainer[str]
    executions: int
    successes: int
    failures: int
    def __init__(self, id: _Optional[str] = ..., family: _Optional[str] = ..., tier: _Optional[int] = ..., heals: _Optional[_Iterable[str]] = ..., executions: _Optional[int] = ..., successes: _Optional[int] = ..., failures: _Optional[int] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("acked_through", "credit", "min_retry_ms", "server_time_ns", "acting_allowed", "lost_through")
    ACKED_THROUGH_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    MIN_RETRY_MS_FIELD_NUMBER: _ClassVar[int]
    SERVER_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    ACTING_ALLOWED_FIELD_NUMBER: _ClassVar[int]
    LOST_THROUGH_FIELD_NUMBER: _ClassVar[int]
    acked_through: int
    credit: int
    min_retry_ms: int
    server_time_ns: int
    acting_allowed: bool
    lost_through: int
    def __init__(self, acked_through: _Optional[int] = ..., credit: _Optional[int] = ..., min_retry_ms: _Optional[int] = ..., server_time_ns: _Optional[int] = ..., acting_allowed: bool = ..., lost_through: _Optional[int] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("first_seq", "prev_chain", "records")
    FIRST_SEQ_FIELD_NUMBER: _ClassVar[int]
    PREV_CHAIN_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    first_seq: int
    prev_chain: bytes
    records: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, first_seq: _Optional[int] = ..., prev_chain: _Optional[bytes] = ..., records: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("acked_through", "credit")
    ACKED_THROUGH_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    acked_through: int
    credit: int
    def __init__(self, acked_through: _Optional[int] = ..., credit: _Optional[int] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("code", "watermark", "detail")
    class Code(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CODE_UNSPECIFIED: _ClassVar[Refusal.Code]
        OUT_OF_ORDER: _ClassVar[Refusal.Code]
        EPOCH_FORK: _ClassVar[Refusal.Code]
        WRONG_IDENTITY: _ClassVar[Refusal.Code]
        MALFORMED: _ClassVar[Refusal.Code]
        SUPERSEDED: _ClassVar[Refusal.Code]
        BOTH_REFUSED: _ClassVar[Refusal.Code]
    CODE_UNSPECIFIED: Refusal.Code
    OUT_OF_ORDER: Refusal.Code
    EPOCH_FORK: Refusal.Code
    WRONG_IDENTITY: Refusal.Code
    MALFORMED: Refusal.Code
    SUPERSEDED: Refusal.Code
    BOTH_REFUSED: Refusal.Code
    CODE_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    code: Refusal.Code
    watermark: int
    detail: str
    def __init__(self, code: _Optional[_Union[Refusal.Code, str]] = ..., watermark: _Optional[int] = ..., detail: _Optional[str] = ...) -> None: ...
