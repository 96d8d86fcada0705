"""Bytes of the wire, also of agents newer, older or more broken than this aggregator."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.aggregator.ingest.outbox import ZERO, Outbox, batch, incident, page, stamp

from guardian_aggregator.errors import Refused
from guardian_aggregator.ingest import codec
from guardian_aggregator.model import RecordBatch, StreamId
from guardian_proto.v1 import records_pb2

STREAM = StreamId("web-1", b"e" * 16)


def read(*records: bytes) -> RecordBatch:
    return codec.read_batch(codec.read_message(batch(1, ZERO, list(records))), STREAM, received_at=7, max_records=100)


def test_the_chain_is_that_of_the_wire():
    outbox = Outbox()
    outbox.add(*(page(number) for number in range(1, 6)))
    outbox.drop(2, 3)
    read_back = codec.read_batch(codec.read_message(outbox.batch(1, 9)), STREAM, 7, 100)
    assert [(entry.seq, entry.last_seq, entry.chain) for entry in read_back.entries] == [
        (first, last, chain) for first, last, _, chain in outbox.rows
    ]


def test_a_kind_that_this_version_does_not_know_is_kept_as_bytes():
    newer = b"\x3a\x02hi"  # field 7
    (entry,) = read(newer).entries
    assert (entry.kind, entry.row, entry.raw) == ("unknown", None, newer)
    assert entry.chain == hashlib.sha256(ZERO + newer).digest()


def test_a_record_without_a_row_stops_nothing():
    assert [entry.row is None for entry in read(incident(""), page(2)).entries] == [True, False]


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        ({"first_seq": 2, "last_seq": 3, "last_chain": ZERO}, "a gap from 2 to 3"),
        ({"first_seq": 1, "last_seq": 0, "last_chain": ZERO}, "a gap from 1 to 0"),
        ({"first_seq": 1, "last_seq": 2**63, "last_chain": ZERO}, "a gap from 1 to"),
        ({"first_seq": 1, "last_seq": 2, "last_chain": b"x"}, "last_chain has 1"),
    ],
)
def test_a_gap_that_does_not_stand_where_it_says_is_refused(gap, said):
    record = records_pb2.Record(stamp=stamp(), gap=records_pb2.Gap(**gap)).SerializeToString()
    with pytest.raises(Refused, match=said):
        read(record)


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data):
    try:
        message = codec.read_message(data)
        codec.read_hello(message)
    except Refused as refused:
        assert refused.code == "MALFORMED"
    try:
        read(data)
    except Refused as refused:
        assert refused.code == "MALFORMED"
