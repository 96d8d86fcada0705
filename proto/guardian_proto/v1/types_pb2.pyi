from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Layer(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LAYER_UNSPECIFIED: _ClassVar[Layer]
    LAYER_PHYSICAL: _ClassVar[Layer]
    LAYER_DATA_LINK: _ClassVar[Layer]
    LAYER_NETWORK: _ClassVar[Layer]
    LAYER_TRANSPORT: _ClassVar[Layer]
    LAYER_SESSION: _ClassVar[Layer]
    LAYER_PRESENTATION: _ClassVar[Layer]
    LAYER_APPLICATION: _ClassVar[Layer]
    LAYER_HOST: _ClassVar[Layer]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_HEALED: _ClassVar[Outcome]
    OUTCOME_INEFFECTIVE: _ClassVar[Outcome]
    OUTCOME_INCONCLUSIVE: _ClassVar[Outcome]
    OUTCOME_ROLLED_BACK: _ClassVar[Outcome]
    OUTCOME_STUCK: _ClassVar[Outcome]
    OUTCOME_DENIED: _ClassVar[Outcome]
    OUTCOME_EXPIRED: _ClassVar[Outcome]
    OUTCOME_SUPERSEDED: _ClassVar[Outcome]
    OUTCOME_INTERRUPTED: _ClassVar[Outcome]
    OUTCOME_COMPLETED: _ClassVar[Outcome]
    OUTCOME_DRY_RUN: _ClassVar[Outcome]

class Resolution(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESOLUTION_UNSPECIFIED: _ClassVar[Resolution]
    RESOLUTION_AUTO: _ClassVar[Resolution]
    RESOLUTION_MANUAL: _ClassVar[Resolution]
    RESOLUTION_SPONTANEOUS: _ClassVar[Resolution]

class ConditionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONDITION_STATE_UNSPECIFIED: _ClassVar[ConditionState]
    CONDITION_STATE_OK: _ClassVar[ConditionState]
    CONDITION_STATE_FAILING: _ClassVar[ConditionState]

class StepState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STEP_STATE_UNSPECIFIED: _ClassVar[StepState]
    STEP_STATE_PLANNED: _ClassVar[StepState]
    STEP_STATE_APPLYING: _ClassVar[StepState]
    STEP_STATE_APPLIED: _ClassVar[StepState]
    STEP_STATE_FAILED: _ClassVar[StepState]
    STEP_STATE_UNDONE: _ClassVar[StepState]
    STEP_STATE_UNDO_FAILED: _ClassVar[StepState]
LAYER_UNSPECIFIED: Layer
LAYER_PHYSICAL: Layer
LAYER_DATA_LINK: Layer
LAYER_NETWORK: Layer
LAYER_TRANSPORT: Layer
LAYER_SESSION: Layer
LAYER_PRESENTATION: Layer
LAYER_APPLICATION: Layer
LAYER_HOST: Layer
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_HEALED: Outcome
OUTCOME_INEFFECTIVE: Outcome
OUTCOME_INCONCLUSIVE: Outcome
OUTCOME_ROLLED_BACK: Outcome
OUTCOME_STUCK: Outcome
OUTCOME_DENIED: Outcome
OUTCOME_EXPIRED: Outcome
OUTCOME_SUPERSEDED: Outcome
OUTCOME_INTERRUPTED: Outcome
OUTCOME_COMPLETED: Outcome
OUTCOME_DRY_RUN: Outcome
RESOLUTION_UNSPECIFIED: Resolution
RESOLUTION_AUTO: Resolution
RESOLUTION_MANUAL: Resolution
RESOLUTION_SPONTANEOUS: Resolution
CONDITION_STATE_UNSPECIFIED: ConditionState
CONDITION_STATE_OK: ConditionState
CONDITION_STATE_FAILING: ConditionState
STEP_STATE_UNSPECIFIED: StepState
STEP_STATE_PLANNED: StepState
STEP_STATE_APPLYING: StepState
STEP_STATE_APPLIED: StepState
STEP_STATE_FAILED: StepState
STEP_STATE_UNDONE: StepState
STEP_STATE_UNDO_FAILED: StepState

class Stamp(_message.Message):
    __slots__ = ("boot_id", "boottime_ns", "wall_ns")
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    BOOTTIME_NS_FIELD_NUMBER: _ClassVar[int]
    WALL_NS_FIELD_NUMBER: _ClassVar[int]
    boot_id: str
    boottime_ns: int
    wall_ns: int
    def __init__(self, boot_id: _Optional[str] = ..., boottime_ns: _Optional[int] = ..., wall_ns: _Optional[int] = ...) -> None: ...
