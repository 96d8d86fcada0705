"""Yesterday's bytes mean today what they meant: no number, type or enum value changes or is used again."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.contract.record_wire import DESCRIPTORS, FOLDER, as_json, descriptors, message_class

from guardian_proto.v1 import records_pb2, stream_pb2

FIXTURES = sorted(FOLDER.glob("*.hex"))


def _expected(fixture: Path) -> dict[str, Any]:
    return json.loads(fixture.with_suffix(".json").read_text())


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.stem)
def test_recorded_bytes_parse_to_what_they_said(fixture: Path) -> None:
    expected = _expected(fixture)
    message = message_class(expected["message"]).FromString(bytes.fromhex(fixture.read_text()))
    assert as_json(message) == expected["value"]


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.stem)
def test_today_writes_them_the_same(fixture: Path) -> None:
    data = bytes.fromhex(fixture.read_text())
    message = message_class(_expected(fixture)["message"]).FromString(data)
    assert message.SerializeToString(deterministic=True) == data


@pytest.mark.parametrize(
    ("message", "oneof"),
    [(records_pb2.Record, "kind"), (stream_pb2.FromAgent, "message"), (stream_pb2.FromAggregator, "message")],
)
def test_every_kind_of_message_has_recorded_bytes(message: Any, oneof: str) -> None:
    values = [one["value"] for one in map(_expected, FIXTURES) if one["message"] == message.DESCRIPTOR.full_name]
    kinds = {field.name for field in message.DESCRIPTOR.oneofs_by_name[oneof].fields}
    assert kinds <= {key for value in values for key in value}


RECORDED: dict[str, dict[str, Any]] = json.loads(DESCRIPTORS.read_text())


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_what_was_recorded_still_holds(name: str) -> None:
    now = descriptors()
    assert name in now
    for number, recorded in RECORDED[name].items():
        assert now[name].get(number) == recorded, f"{name}: {number} was {recorded}"


def test_what_is_new_is_recorded() -> None:
    """Else a later change of it would go unseen: run `python -m tests.contract.record_wire`."""
    assert {name: set(fields) for name, fields in descriptors().items()} == {
        name: set(fields) for name, fields in RECORDED.items()
    }
