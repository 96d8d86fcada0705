"""An agent's outbox and its end of the stream, as the wire says they are: written anew, not taken from the agent."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict, Unpack

import grpc
import grpc.aio

from guardian_proto.v1 import records_pb2, stream_pb2, types_pb2

ZERO = bytes(32)
NOW_NS = 1_790_000_000_000_000_000


class IncidentFields(TypedDict, total=False):
    """What a test may want to say of an incident; None: the field is not there."""

    target: str
    issue_type: str
    layer: types_pb2.Layer
    first_bad_at: types_pb2.Stamp | None
    detected_at: types_pb2.Stamp | None
    closed_at: types_pb2.Stamp
    resolution: types_pb2.Resolution
    recovered_by: str
    explained_by: str
    held: bool
    evidence_json: str
    time_to_detect_seconds: float
    time_to_recover_seconds: float
    recover_upper_seconds: float


class ExecutionFields(TypedDict, total=False):
    """What a test may want to say of an execution; None: the field is not there."""

    incident_id: str
    playbook: str
    target: str
    issue_type: str
    outcome: types_pb2.Outcome
    started_at: types_pb2.Stamp | None
    steps: list[records_pb2.Step]


class SelfHealthFields(TypedDict, total=False):
    """What a test may want to say of an agent's own health."""

    over_seconds: float
    cpu_seconds: float
    resident_bytes: int
    loop_lag_worst_seconds: float
    waited_for_cpu_seconds: float
    looks: int
    looks_unknown: int
    looks_late: int


class HelloFields(TypedDict, total=False):
    """What a test may want otherwise in a Hello."""

    protocol_version: str
    agent_version: str
    mode: str
    lowest_seq: int
    next_seq: int
    labels: dict[str, str]
    targets: list[str]
    watches: list[str]
    playbooks: list[stream_pb2.PlaybookInfo]


def stamp(second: float = 0.0) -> types_pb2.Stamp:
    return types_pb2.Stamp(boot_id="boot", boottime_ns=int(1e9 + second * 1e9), wall_ns=NOW_NS + int(second * 1e9))


def page(number: int, text: str = "look") -> bytes:
    """A small record, different for every number."""
    record = records_pb2.Record(
        stamp=stamp(number), page=records_pb2.Page(page_id=f"page-{number}-{text[:8]}", reason="stuck", text=text)
    )
    return record.SerializeToString()


def incident(incident_id: str, **fields: Unpack[IncidentFields]) -> bytes:
    given: IncidentFields = {
        "target": "web",
        "issue_type": "process_crashed",
        "layer": types_pb2.LAYER_HOST,
        "first_bad_at": stamp(1),
        "detected_at": stamp(2),
        **fields,
    }
    message = records_pb2.Incident(incident_id=incident_id, **given)
    return records_pb2.Record(stamp=stamp(2), incident=message).SerializeToString()


def execution(execution_id: str, **fields: Unpack[ExecutionFields]) -> bytes:
    given: ExecutionFields = {
        "playbook": "restart_component",
        "target": "web",
        "issue_type": "process_crashed",
        "started_at": stamp(3),
        **fields,
    }
    message = records_pb2.Execution(execution_id=execution_id, **given)
    return records_pb2.Record(stamp=stamp(3), execution=message).SerializeToString()


def self_health(second: float = 0.0, **fields: Unpack[SelfHealthFields]) -> bytes:
    given: SelfHealthFields = {"over_seconds": 60.0, "cpu_seconds": 0.06, "resident_bytes": 41_200_000, **fields}
    return records_pb2.Record(stamp=stamp(second), self_health=records_pb2.SelfHealth(**given)).SerializeToString()


def transition(
    probe: str = "l7_http",
    to_state: types_pb2.ConditionState = types_pb2.CONDITION_STATE_FAILING,
    evidence: str = "{}",
    second: float = 1,
) -> bytes:
    message = records_pb2.Transition(
        probe=probe,
        target="web",
        layer=types_pb2.LAYER_APPLICATION,
        from_state=types_pb2.CONDITION_STATE_OK,
        to_state=to_state,
        issue_type="http_error",
        evidence_json=evidence,
    )
    return records_pb2.Record(stamp=stamp(second), transition=message).SerializeToString()


class Outbox:
    """Records from seq 1; `drop` replaces some of them by a gap as a full outbox does."""

    def __init__(self, agent_id: str = "web-1", epoch: bytes = b"e" * 16) -> None:
        self.agent_id = agent_id
        self.epoch = epoch
        self.rows: list[tuple[int, int, bytes, bytes]] = []  # first seq, last seq, record, chain after it

    @property
    def last_seq(self) -> int:
        return self.rows[-1][1] if self.rows else 0

    def chain(self, seq: int) -> bytes:
        """The chain value after `seq`, which must end a row."""
        return ZERO if seq == 0 else next(chain for _, last, _, chain in self.rows if last == seq)

    def add(self, *records: bytes) -> None:
        for raw in records:
            seq = self.last_seq + 1
            before = self.rows[-1][3] if self.rows else ZERO
            self.rows.append((seq, seq, raw, hashlib.sha256(before + raw).digest()))

    def drop(self, first: int, last: int) -> None:
        """Puts a gap in the place of the rows first … last."""
        gap = records_pb2.Gap(
            first_seq=first,
            last_seq=last,
            reason="outbox_full",
            counts={"page": last - first + 1},
            last_chain=self.chain(last),
        )
        raw = records_pb2.Record(stamp=stamp(), gap=gap).SerializeToString()
        self.rows = [
            *(row for row in self.rows if row[1] < first),
            (first, last, raw, self.chain(last)),
            *(row for row in self.rows if row[0] > last),
        ]

    def hello(self, **fields: Unpack[HelloFields]) -> bytes:
        given: HelloFields = {
            "protocol_version": "1",
            "agent_version": "0.1.0",
            "mode": "heal",
            "lowest_seq": 1,
            "next_seq": self.last_seq + 1,
            **fields,
        }
        message = stream_pb2.Hello(agent_id=self.agent_id, epoch=self.epoch, now=stamp(), **given)
        return stream_pb2.FromAgent(hello=message).SerializeToString()

    def batch(self, first: int, count: int) -> bytes:
        """Up to `count` rows, from the one that begins at seq `first`."""
        rows = [row for row in self.rows if row[0] >= first][:count]
        return batch(first, self.chain(first - 1), [row[2] for row in rows])


def batch(first: int, prev_chain: bytes, records: list[bytes]) -> bytes:
    message = stream_pb2.Batch(first_seq=first, prev_chain=prev_chain, records=records)
    return stream_pb2.FromAgent(batch=message).SerializeToString()


class AgentEnd:
    """The agent's end of one stream."""

    def __init__(self, call: grpc.aio.StreamStreamCall[bytes, bytes]) -> None:
        self.call = call

    async def say(self, message: bytes) -> stream_pb2.FromAggregator:
        await self.call.write(message)
        return await self.answer()

    async def answer(self) -> stream_pb2.FromAggregator:
        data = await self.call.read()
        assert isinstance(data, bytes), "the stream ended"
        return stream_pb2.FromAggregator.FromString(data)

    async def greet(self, outbox: Outbox, **fields: Unpack[HelloFields]) -> int:
        """Says Hello; the watermark of the Welcome."""
        answer = await self.say(outbox.hello(**fields))
        assert answer.WhichOneof("message") == "welcome", answer
        return answer.welcome.acked_through

    async def send(self, message: bytes) -> int:
        """Sends a batch; the watermark of its Ack."""
        answer = await self.say(message)
        assert answer.WhichOneof("message") == "ack", answer
        return answer.ack.acked_through

    async def refused(self, message: bytes) -> stream_pb2.Refusal:
        """Sends what is refused; the stream then ends."""
        answer = await self.say(message)
        assert answer.WhichOneof("message") == "refusal", answer
        assert await self.call.read() is grpc.aio.EOF
        return answer.refusal

    def code(self, refusal: stream_pb2.Refusal) -> str:
        return stream_pb2.Refusal.Code.Name(refusal.code)


@asynccontextmanager
async def connected(
    address: str, credentials: grpc.ChannelCredentials | None = None, server_name: str | None = None
) -> AsyncIterator[AgentEnd]:
    """A stream to the aggregator at `address`, whose certificate may be for `server_name`."""
    options: list[tuple[str, int | str]] = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own
    if server_name is not None:
        options.append(("grpc.ssl_target_name_override", server_name))
    channel = (
        grpc.aio.insecure_channel(address, options)
        if credentials is None
        else grpc.aio.secure_channel(address, credentials, options)
    )
    async with channel:
        call: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream("/guardian.v1.Fleet/Stream")()
        try:
            yield AgentEnd(call)
        finally:
            call.cancel()
