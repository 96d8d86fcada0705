"""Protobuf to the model's words and back: with the service, the only part that knows the wire's messages."""

import hashlib
import re

from google.protobuf.message import DecodeError

from guardian_aggregator.errors import Refused
from guardian_aggregator.ingest.rows import RowReader, time_of
from guardian_aggregator.model import (
    CHAIN_START,
    MAX_INTEGER,
    AgentHello,
    Greeting,
    PlaybookRow,
    RecordBatch,
    RecordEntry,
    StreamId,
)
from guardian_proto.v1 import records_pb2, stream_pb2

MAX_MESSAGE_BYTES = 4 << 20
MAX_RECORD_BYTES = 1 << 20
MAX_SEQ = (1 << 48) - 1  # a thousand records a second for some thousand years
_UNSEEN_GAP = 100_000  # records that an agent may have made and dropped since it said Hello; it can say it again
PROTOCOL_VERSION = "1"

_EPOCH_BYTES = 16
_CHAIN_BYTES = len(CHAIN_START)
_AGENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,252}")


def read_message(data: bytes) -> stream_pb2.FromAgent:
    """What an agent sent.

    Raises:
        Refused: MALFORMED, it is too large or no such message.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise _malformed(f"a message of {len(data)} bytes, at most {MAX_MESSAGE_BYTES} are taken")
    try:
        return stream_pb2.FromAgent.FromString(data)
    except DecodeError:
        raise _malformed("bytes that are no message of this protocol") from None


def read_hello(message: stream_pb2.FromAgent) -> AgentHello:
    """The Hello that begins a stream.

    Raises:
        Refused: MALFORMED, with what is wrong with it.
    """
    if message.WhichOneof("message") != "hello":
        raise _malformed("a stream begins with Hello")
    hello = message.hello
    if not _AGENT_ID.fullmatch(hello.agent_id):
        raise _malformed("agent_id must be 1 to 253 letters, digits or . _ : - and begin with a letter or digit")
    if len(hello.epoch) != _EPOCH_BYTES:
        raise _malformed(f"an epoch has {_EPOCH_BYTES} bytes, this one {len(hello.epoch)}")
    if not 1 <= hello.lowest_seq <= hello.next_seq <= MAX_SEQ:
        raise _malformed(f"lowest_seq {hello.lowest_seq} and next_seq {hello.next_seq}: not 1 ≤ lowest ≤ next")
    if hello.protocol_version != PROTOCOL_VERSION:
        raise _malformed(f"protocol version {hello.protocol_version!r}; this aggregator speaks {PROTOCOL_VERSION!r}")
    return AgentHello(
        stream=StreamId(hello.agent_id, hello.epoch),
        lowest_seq=hello.lowest_seq,
        next_seq=hello.next_seq,
        boot_id=hello.now.boot_id,
        agent_version=hello.agent_version,
        labels=dict(hello.labels),
        mode=hello.mode,
        targets=tuple(hello.targets),
        watches=tuple(hello.watches),
        playbooks=tuple(_playbook(hello.agent_id, info) for info in hello.playbooks),
        wall_ns=time_of(hello.now),
    )


def read_batch(message: stream_pb2.FromAgent, stream: StreamId, received_at: int, max_records: int) -> RecordBatch:
    """A batch with the row of each record and the chain value after it.

    A record of a kind that this version does not know is kept as bytes, and so is one that lacks its id or time.

    Raises:
        Refused: MALFORMED, with what is wrong with it.
    """
    if message.WhichOneof("message") != "batch":
        raise _malformed("after Hello come batches")
    batch = message.batch
    if len(batch.prev_chain) != _CHAIN_BYTES:
        raise _malformed(f"a chain value has {_CHAIN_BYTES} bytes, prev_chain has {len(batch.prev_chain)}")
    if not 1 <= batch.first_seq <= MAX_SEQ - len(batch.records):
        raise _malformed(f"first_seq {batch.first_seq} is no sequence number")
    if batch.first_seq == 1 and batch.prev_chain != CHAIN_START:
        raise _malformed("before seq 1 the chain value is all zero")
    if not 1 <= len(batch.records) <= max_records:
        raise _malformed(f"a batch of {len(batch.records)} records; 1 to {max_records} may be in flight")
    entries: list[RecordEntry] = []
    seq, chain = batch.first_seq, batch.prev_chain
    for raw in batch.records:
        entry = _entry(raw, seq, chain, RowReader(stream.agent_id, received_at))
        entries.append(entry)
        seq, chain = entry.last_seq + 1, entry.chain
    return RecordBatch(stream, batch.first_seq, batch.prev_chain, tuple(entries))


def check_gaps(batch: RecordBatch, next_seq: int) -> None:
    """Compares how far gaps reach with `next_seq`, that of the stream's Hello.

    Raises:
        Refused: MALFORMED, a gap stands for records that the agent can hardly have made.
    """
    for entry in batch.entries:
        if entry.last_seq > entry.seq and entry.last_seq >= max(next_seq, entry.seq) + _UNSEEN_GAP:
            raise _malformed(f"record {entry.seq} is a gap to {entry.last_seq}; at Hello the next was {next_seq}")


def welcome(greeting: Greeting, *, credit: int, min_retry_ms: int, now_ns: int, acting_allowed: bool) -> bytes:
    """The answer to a Hello."""
    return stream_pb2.FromAggregator(
        welcome=stream_pb2.Welcome(
            acked_through=greeting.watermark,
            lost_through=greeting.lost_through,
            credit=credit,
            min_retry_ms=min_retry_ms,
            server_time_ns=now_ns,
            acting_allowed=acting_allowed,
        )
    ).SerializeToString()


def ack(acked_through: int, *, credit: int) -> bytes:
    """All up to `acked_through` is durable; `credit` records beyond it may be in flight."""
    message = stream_pb2.FromAggregator(ack=stream_pb2.Ack(acked_through=acked_through, credit=credit))
    return message.SerializeToString()


def refusal(refused: Refused) -> bytes:
    """The last message on a stream."""
    message = stream_pb2.Refusal(code=refused.code, watermark=refused.watermark, detail=str(refused))
    return stream_pb2.FromAggregator(refusal=message).SerializeToString()


def _entry(raw: bytes, seq: int, chain: bytes, reader: RowReader) -> RecordEntry:
    if len(raw) > MAX_RECORD_BYTES:
        raise _malformed(f"record {seq} has {len(raw)} bytes, at most {MAX_RECORD_BYTES} are taken")
    try:
        record = records_pb2.Record.FromString(raw)
    except DecodeError:
        raise _malformed(f"record {seq} is no Record") from None
    kind = record.WhichOneof("kind") or "unknown"
    row = reader.row(record, kind)
    if kind != "gap":
        after = hashlib.sha256(chain + raw).digest()
        return RecordEntry(seq, seq, after, kind, raw, row, reader.unknown_values, reader.truncated)
    gap = record.gap
    if gap.first_seq != seq or not seq <= gap.last_seq <= MAX_SEQ:
        raise _malformed(f"record {seq} is a gap from {gap.first_seq} to {gap.last_seq}")
    if len(gap.last_chain) != _CHAIN_BYTES:
        raise _malformed(f"gap {seq}: last_chain has {len(gap.last_chain)} bytes, not {_CHAIN_BYTES}")
    return RecordEntry(seq, gap.last_seq, gap.last_chain, kind, raw, row)


def _playbook(agent_id: str, info: stream_pb2.PlaybookInfo) -> PlaybookRow:
    return PlaybookRow(
        agent_id=agent_id,
        id=info.id,
        family=info.family,
        tier=info.tier,
        heals=tuple(info.heals),
        executions=min(info.executions, MAX_INTEGER),
        successes=min(info.successes, MAX_INTEGER),
        failures=min(info.failures, MAX_INTEGER),
    )


def _malformed(detail: str) -> Refused:
    return Refused("MALFORMED", detail)
