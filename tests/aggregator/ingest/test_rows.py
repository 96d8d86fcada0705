"""Records as rows: nothing of the wire is trusted, and nothing of it is lost for being strange."""

import pytest
from tests.aggregator.ingest.outbox import NOW_NS, batch, execution, incident, self_health, stamp, transition

from guardian_aggregator.ingest import codec
from guardian_aggregator.ingest.rows import RowReader
from guardian_aggregator.model import Row, StreamId
from guardian_proto.v1 import records_pb2, types_pb2


def read(raw: bytes) -> tuple[Row | None, int]:
    """The row of a record received at 7, and how many of its values have no word."""
    record = records_pb2.Record.FromString(raw)
    reader = RowReader("web-1", received_at=7)
    return reader.row(record, record.WhichOneof("kind")), reader.unknown_values


def test_a_record_without_a_stamp_is_of_the_moment_it_came():
    message = records_pb2.Transition(probe="l7_http", layer=7, from_state=0, to_state=1)
    row, _ = read(records_pb2.Record(transition=message).SerializeToString())
    assert (row.at, row.first_seen, row.from_state, row.to_state) == (7, 7, "unknown", "ok")


def test_times_are_wall_nanoseconds():
    row, _ = read(incident("i-1", closed_at=stamp(0.25)))
    assert (row.closed_at, row.verified_at) == (NOW_NS + 250_000_000, None)


def test_counts_of_a_gap_fit_the_store():
    gap = records_pb2.Gap(first_seq=1, last_seq=2, reason="outbox_full", counts={"page": 2**64 - 1})
    row, _ = read(records_pb2.Record(gap=gap).SerializeToString())
    assert row.counts == {"page": 2**63 - 1}


def test_values_that_this_version_does_not_know_are_kept_and_counted():
    row, unknown_values = read(execution("x-1", outcome=99, steps=[records_pb2.Step(index=0, state=77)]))
    assert (row.outcome, row.steps[0].state, unknown_values) == ("unknown_99", "unknown_77", 2)
    row, unknown_values = read(incident("i-1", layer=12, resolution=9))
    assert (row.layer, row.resolution, unknown_values) == (12, "unknown_9", 2)


def test_what_is_unspecified_is_none_and_not_counted():
    row, unknown_values = read(execution("x-1"))
    assert (row.outcome, row.finished_at, row.duration_seconds, unknown_values) == (None, None, None, 0)


@pytest.mark.parametrize(
    "record",
    [
        incident(""),
        incident("x" * 65),
        incident("i-1", first_bad_at=None),
        incident("i-1", first_bad_at=types_pb2.Stamp(wall_ns=2**63)),
        execution("x-1", started_at=None),
        transition(probe=""),
    ],
)
def test_a_record_without_its_id_or_time_has_no_row(record):
    assert read(record)[0] is None


def test_durations_that_are_none_are_left_out():
    row, _ = read(
        incident(
            "i-1",
            time_to_detect_seconds=0.0,
            time_to_recover_seconds=float("nan"),
            recover_upper_seconds=1e300,
        )
    )
    assert (row.time_to_detect_seconds, row.time_to_recover_seconds, row.recover_upper_seconds) == (0.0, None, None)


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("", {}),
        ('{"a": [1]}', {"a": [1]}),
        ("[1]", {"value": [1]}),
        ("{", {"unreadable": "{"}),
        ("[" * 100_000, {"unreadable": "[" * 500}),
        ('{"a": 1e999}', {"unreadable": '{"a": 1e999}'}),
    ],
)
def test_evidence_is_an_object_whatever_came(text, evidence):
    assert read(incident("i-1", evidence_json=text))[0].evidence == evidence


def test_of_too_many_parts_the_first_are_in_the_row_and_the_others_counted():
    steps = [records_pb2.Step(index=number) for number in range(203)]
    message = codec.read_message(batch(1, bytes(32), [execution("x-1", steps=steps)]))
    (entry,) = codec.read_batch(message, StreamId("web-1", b"e" * 16), NOW_NS, 9).entries
    assert ([step.index for step in entry.row.steps], entry.truncated) == ([*range(200)], 3)


def test_an_agents_word_about_itself_is_told_as_it_said_it():
    row, _ = read(self_health(3.0, loop_lag_worst_seconds=0.25, waited_for_cpu_seconds=1.5, looks=7, looks_late=2))
    assert (row.agent_id, row.at) == ("web-1", NOW_NS + 3_000_000_000)
    assert (row.over_seconds, row.cpu_seconds, row.resident_bytes) == (60.0, 0.06, 41_200_000)
    assert (row.loop_lag_worst_seconds, row.waited_for_cpu_seconds) == (0.25, 1.5)
    assert (row.looks, row.looks_unknown, row.looks_late) == (7, 0, 2)


@pytest.mark.parametrize(
    "record",
    [
        self_health(over_seconds=0.0),
        self_health(over_seconds=1e-300),
        self_health(cpu_seconds=-1.0),
        self_health(loop_lag_worst_seconds=float("nan")),
        self_health(waited_for_cpu_seconds=float("inf")),
    ],
)
def test_a_measurement_of_no_time_or_with_a_time_that_is_none_has_no_row(record):
    assert read(record)[0] is None


def test_numbers_of_a_measurement_fit_the_store():
    row, _ = read(self_health(resident_bytes=2**64 - 1, looks=2**64 - 1))
    assert (row.resident_bytes, row.looks) == (2**63 - 1, 2**63 - 1)
