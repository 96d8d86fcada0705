"""The words of the agent: what a component, a reading, an incident and an execution are."""

import os
import time
from enum import IntEnum, StrEnum
from typing import Any, ClassVar

import msgspec


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


# What a component needs of its host comes before what it says to the network: one that works shows that those before it
# do.
FROM_BELOW = (
    Layer.PHYSICAL,
    Layer.DATA_LINK,
    Layer.NETWORK,
    Layer.HOST,
    Layer.TRANSPORT,
    Layer.SESSION,
    Layer.PRESENTATION,
    Layer.APPLICATION,
)


class Tier(IntEnum):
    """How much leave a playbook needs before it acts."""

    OBSERVES = 0
    AUTOMATIC = 1
    ONE_APPROVER = 2
    TWO_APPROVERS = 3


class Mode(StrEnum):
    OBSERVE = "observe"
    HEAL = "heal"


class Outcome(StrEnum):
    """How an execution ended (design: "Words")."""

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


class Stamp(msgspec.Struct, frozen=True):
    """One moment by three clocks; `boottime_ns` is comparable only within one `boot_id`."""

    boot_id: str
    boottime_ns: int
    wall_ns: int

    def seconds_since(self, earlier: "Stamp") -> float:
        """Seconds from `earlier` to here: by boot time, or by wall time across boots (never below 0)."""
        if self.boot_id == earlier.boot_id:
            return (self.boottime_ns - earlier.boottime_ns) / 1e9
        return max(0.0, (self.wall_ns - earlier.wall_ns) / 1e9)


class Endpoint(msgspec.Struct, frozen=True):
    """A TCP address, written `tcp:HOST:PORT` (IPv6 hosts in brackets)."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp:{host}:{self.port}"


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When a probe looks, and how many looks in a row decide (HAProxy's `fall` and `rise`)."""

    enabled: bool = True
    interval_s: float = 5.0
    timeout_s: float = 1.0
    fall: int = 2
    rise: int = 2
    confirm_interval_s: float | None = None  # None: the probe's own default


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """A component's `health`: what to ask (one of `http`, `grpc`, `command`), and which answer is a good one."""

    http: str | None = None
    expect_status: tuple[int, ...] = (200,)
    grpc: Endpoint | None = None  # the standard health service there (grpc.health.v1)
    grpc_service: str = ""  # empty: the server as a whole
    command: tuple[str, ...] | None = None  # exit 0 ok, 1 and 2 failing, 3 unknown
    timeout_s: float | None = None
    interval_s: float | None = None
    fall: int | None = None
    rise: int | None = None
    confirm_interval_s: float | None = None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the component touches for as long as it is well."""

    file: str
    max_age_s: float


class Releases(msgspec.Struct, frozen=True, kw_only=True):
    """Where a component's releases lie, and the link to the one that runs."""

    folder: str
    current: str


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What the component presents to its TLS clients."""

    file: str  # PEM, its own certificate first
    warn_days: float = 7.0
    endpoint: Endpoint | None = None  # where it is presented; None: the file alone is judged
    name: str | None = None  # the name that clients ask for; None: this is not compared
    ca_file: str | None = None  # whom clients trust; None: the system's authorities


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A file whose content is known: by its hash, or by the package that brought it (`dpkg`)."""

    path: str
    sha256: str | None = None
    dpkg: bool = False
    good_copy: str | None = None


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """A file whose content must not get old."""

    RENEWED_AT: ClassVar = 0.9  # of its greatest age: the rest is for renewing it

    path: str
    max_age_s: float
    key: str | None = None  # the file of the private key that belongs to it, which `renew` may make anew too
    renew: tuple[str, ...] | None = None
    check: tuple[str, ...] | None = None
    reload: str | None = None


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A workload that the operator declares. It has a `unit`, or a `command`, or neither (then it is watched only)."""

    name: str
    unit: str | None = None
    command: tuple[str, ...] | None = None
    listen: Endpoint | None = None
    health: Health | None = None
    heartbeat: Heartbeat | None = None
    releases: Releases | None = None
    certificate: Certificate | None = None
    artifacts: tuple[Artifact, ...] = ()  # [[component.artifact]]
    secrets: tuple[Secret, ...] = ()  # [[component.secret]]
    depends_on: tuple[str, ...] = ()  # names of components, or endpoints `tcp:HOST:PORT`
    drain: tuple[str, ...] | None = None
    stop_grace_s: float = 10.0
    start_grace_s: float = 20.0


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What one look saw. A look that cannot tell raises ProbeError instead."""

    ok: bool
    evidence: dict[str, Any] = {}
    issue_type: str | None = None  # where the probe sees several kinds; else the probe's own


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """A condition changed its state."""

    record_kind: ClassVar = "transition"
    probe: str
    target: str
    layer: Layer
    from_state: ConditionState
    to_state: ConditionState
    issue_type: str
    evidence: dict[str, Any]
    first_seen: Stamp


class Incident(msgspec.Struct, kw_only=True):
    """From the first bad look to a verified recovery, one at a time per target. Mutable: recorded at each change."""

    record_kind: ClassVar = "incident"
    incident_id: str
    target: str
    issue_type: str
    layer: Layer
    owner_probe: str
    first_bad_at: Stamp
    detected_at: Stamp
    last_good_at: Stamp | None = None
    decided_at: Stamp | None = None
    action_started_at: Stamp | None = None
    action_finished_at: Stamp | None = None
    verified_at: Stamp | None = None
    closed_at: Stamp | None = None
    symptoms: list[str] = []
    explained_by: str = ""
    recurrence_of: str = ""
    resolution: Resolution | None = None
    recovered_by: str = ""
    held: bool = False
    exhausted: bool = False
    evidence: dict[str, Any] = {}


class StepRecord(msgspec.Struct, kw_only=True):
    """One change of an execution as it stands; `operation` and `undo` are tagged operations as JSON objects."""

    describe: str
    undo_describe: str = ""  # empty: it cannot be undone
    state: StepState = StepState.PLANNED
    error: str = ""
    operation: dict[str, Any]
    undo: dict[str, Any] | None = None


class Execution(msgspec.Struct, kw_only=True):
    """One run of one playbook for one incident. Mutable: journaled and recorded anew at each change that matters."""

    record_kind: ClassVar = "execution"
    execution_id: str
    incident_id: str
    playbook: str
    target: str
    issue_type: str
    started_at: Stamp
    rung: int = 0
    outcome: Outcome | None = None  # None while it runs
    reason: str = ""
    finished_at: Stamp | None = None
    verified_at: Stamp | None = None
    steps: list[StepRecord] = []
    evidence: dict[str, Any] = {}


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody must look."""

    record_kind: ClassVar = "page"
    page_id: str
    incident_id: str
    target: str
    reason: str  # one checked word: ladder_exhausted, stuck, inconclusive, denied, dependency_failed …
    text: str


class SelfHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the agent itself has fared for a while: what it says of others is worth no more than this allows."""

    record_kind: ClassVar = "self_health"
    over_s: float  # the time that this is about
    cpu_s: float  # of the whole process
    resident_bytes: int
    loop_lag_worst_s: float  # how late a timer ran at most
    waited_for_cpu_s: float  # how long the process was ready to run and did not (schedstat)
    looks: int
    looks_unknown: int
    looks_late: int  # unknown because the agent itself was late


Fact = Transition | Incident | Execution | Page | SelfHealth  # what the outbox keeps, one record each


class PlaybookCounters(msgspec.Struct, frozen=True, kw_only=True):
    """How a playbook has done on this host since its state was made."""

    executions: int = 0
    successes: int = 0
    failures: int = 0
    last_run_wall_ns: int = 0


def uuid7(wall_ns: int | None = None) -> str:
    """A time-ordered identifier (RFC 9562, version 7)."""
    millis = (wall_ns if wall_ns is not None else time.time_ns()) // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (millis & (1 << 48) - 1) << 80 | 7 << 76 | (random >> 68 & 0xFFF) << 64 | 2 << 62 | random & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
