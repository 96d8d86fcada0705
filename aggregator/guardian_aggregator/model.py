"""The words of the aggregator: what a stream, a record and the rows made of records are."""

from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

import msgspec

CHAIN_START = bytes(32)
MAX_INTEGER = (1 << 63) - 1  # SQLite's largest


class Layer(IntEnum):
    """OSI layers, and the host itself. Numbers and names are those of `types.proto`."""

    PHYSICAL = 1
    DATA_LINK = 2
    NETWORK = 3
    TRANSPORT = 4
    SESSION = 5
    PRESENTATION = 6
    APPLICATION = 7
    HOST = 8


class Outcome(StrEnum):
    """How an execution ended."""

    HEALED = "healed"
    INEFFECTIVE = "ineffective"
    INCONCLUSIVE = "inconclusive"
    ROLLED_BACK = "rolled_back"
    STUCK = "stuck"
    DENIED = "denied"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    INTERRUPTED = "interrupted"
    COMPLETED = "completed"
    DRY_RUN = "dry_run"


class Resolution(StrEnum):
    AUTO = "auto"
    MANUAL = "manual"
    SPONTANEOUS = "spontaneous"


class ConditionState(StrEnum):
    UNKNOWN = "unknown"
    OK = "ok"
    FAILING = "failing"


class StepState(StrEnum):
    PLANNED = "planned"
    APPLYING = "applying"
    APPLIED = "applied"
    FAILED = "failed"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"


class StreamId(msgspec.Struct, frozen=True):
    """One outbox's life: `epoch` is 16 random bytes made with it."""

    agent_id: str
    epoch: bytes


class Greeting(NamedTuple):
    """Where an epoch stands here: everything through `watermark` is dealt with; `lost_through`: of it, the highest that
    was acknowledged and then lost (0: none)."""

    watermark: int
    lost_through: int


class AgentHello(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent says of itself when it connects."""

    stream: StreamId
    lowest_seq: int
    next_seq: int
    boot_id: str
    agent_version: str
    labels: dict[str, str]
    mode: str
    targets: tuple[str, ...]
    watches: tuple[str, ...]  # PROBE/TARGET of everything that it looks at
    playbooks: tuple["PlaybookRow", ...]
    wall_ns: int | None = None  # its clock as it said Hello


class PlaybookRow(msgspec.Struct, frozen=True, kw_only=True):
    """A playbook as one agent has it, with that agent's own durable counters."""

    agent_id: str = ""
    id: str
    family: str
    tier: int
    heals: tuple[str, ...]
    executions: int = 0
    successes: int = 0
    failures: int = 0


class IncidentRow(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as its newest record has it. Times are wall-clock nanoseconds; durations are the agent's own."""

    incident_id: str
    agent_id: str
    target: str
    issue_type: str
    layer: int
    owner_probe: str
    symptoms: tuple[str, ...]
    explained_by: str
    recurrence_of: str
    last_good_at: int | None
    first_bad_at: int
    detected_at: int
    decided_at: int | None
    action_started_at: int | None
    action_finished_at: int | None
    verified_at: int | None
    closed_at: int | None
    resolution: str | None
    recovered_by: str
    held: bool
    exhausted: bool
    evidence: dict[str, Any]
    time_to_detect_seconds: float | None
    time_to_recover_seconds: float | None
    recover_upper_seconds: float | None
    across_boots: bool


class StepRow(msgspec.Struct, frozen=True, kw_only=True):
    index: int
    describe: str
    undo_describe: str
    state: str
    error: str


class ExecutionRow(msgspec.Struct, frozen=True, kw_only=True):
    """An execution as its newest record has it; `outcome` is None while it runs."""

    execution_id: str
    incident_id: str
    agent_id: str
    playbook: str
    target: str
    issue_type: str
    outcome: str | None
    reason: str
    rung: int
    started_at: int
    finished_at: int | None
    verified_at: int | None
    duration_seconds: float | None
    steps: tuple[StepRow, ...]
    evidence: dict[str, Any]


class TransitionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A condition's change of state; `transition_id` is the store's own, empty before it is stored."""

    transition_id: str = ""
    agent_id: str
    probe: str
    target: str
    layer: int
    from_state: str
    to_state: str
    issue_type: str
    evidence: dict[str, Any]
    at: int
    first_seen: int


class ConditionRow(msgspec.Struct, frozen=True, kw_only=True):
    """The newest state of one probe on one target of one host."""

    agent_id: str
    probe: str
    target: str
    layer: int
    state: str
    issue_type: str
    evidence: dict[str, Any]
    at: int
    first_seen: int


class PageRow(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody must look. Made by an agent, or by the aggregator about one (reasons `epoch_fork`, `two_epochs`)."""

    page_id: str
    agent_id: str
    incident_id: str
    target: str
    reason: str
    text: str
    at: int


class SelfHealthRow(msgspec.Struct, frozen=True, kw_only=True):
    """How an agent itself fared in the `over_seconds` before `at`, as it says."""

    agent_id: str
    at: int
    over_seconds: float  # above 0
    cpu_seconds: float
    resident_bytes: int
    loop_lag_worst_seconds: float
    waited_for_cpu_seconds: float
    looks: int
    looks_unknown: int
    looks_late: int


class GapRow(msgspec.Struct, frozen=True, kw_only=True):
    """Records that will never come: dropped by a full outbox, or lost by a restored aggregator."""

    agent_id: str
    first_seq: int
    last_seq: int
    reason: str
    counts: dict[str, int]
    at: int


class AgentRow(msgspec.Struct, frozen=True, kw_only=True):
    """A host as last seen."""

    agent_id: str
    labels: dict[str, str]
    agent_version: str
    mode: str
    boot_id: str
    targets: tuple[str, ...]
    connected: bool
    first_seen_at: int
    last_seen_at: int
    watermark: int
    records: int
    clock_offset_seconds: float | None = None  # its clock minus ours at its last Hello; None: it did not say


class StoreCounters(msgspec.Struct, frozen=True, kw_only=True):
    """What the store has counted since it was made; durable."""

    records: dict[str, int]  # by kind, what no reader knows as `unknown`
    unknown_values: int  # enum values that this version has no word for
    invalid: int  # records of a known kind that lack what their row needs: kept as bytes only
    foreign: int  # records that claimed another agent's incident or execution: kept as bytes only
    refusals: dict[str, int]  # by code
    batches: int
    commits: int
    gaps: dict[str, int]  # by reason
    gap_records: dict[str, int]  # how many records the gaps stand for, by reason
    truncated: int = 0  # steps and symptoms that rows leave out, because their record had too many


class RecordEntry(msgspec.Struct, frozen=True):
    """One record of a batch as it is stored. A gap stands for `seq` … `last_seq`; any other record for `seq` alone."""

    seq: int
    last_seq: int
    chain: bytes  # after this record
    kind: str
    raw: bytes
    row: "Row | None"  # None: kept as bytes only
    unknown_values: int = 0
    truncated: int = 0  # steps or symptoms that the row leaves out


class RecordBatch(msgspec.Struct, frozen=True):
    """Records that follow one another without a hole, of one stream."""

    stream: StreamId
    first_seq: int
    prev_chain: bytes
    entries: tuple[RecordEntry, ...]


Row = IncidentRow | ExecutionRow | TransitionRow | PageRow | SelfHealthRow | GapRow
