"""Writes what the wire looks like today, for test_wire_bytes.py. What was recorded before is never written over.

Run it after adding a message, a field or an enum value: `python -m tests.contract.record_wire NAME FULL_NAME` reads a
message as JSON from standard input and records its bytes under NAME; without arguments it adds what is new to the
descriptors.
"""

import json
import sys
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from guardian_proto.v1 import records_pb2, stream_pb2, types_pb2

FOLDER = Path(__file__).parent / "wire"
DESCRIPTORS = FOLDER / "descriptors.json"
FILES = (types_pb2.DESCRIPTOR, records_pb2.DESCRIPTOR, stream_pb2.DESCRIPTOR)


def message_class(full_name: str) -> Any:
    name = full_name.rpartition(".")[2]
    return next(getattr(module, name) for module in (types_pb2, records_pb2, stream_pb2) if hasattr(module, name))


def as_json(message: Any) -> dict[str, Any]:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def descriptors() -> dict[str, dict[str, Any]]:
    """Every message's fields and enum's values by number, every method's types."""
    found: dict[str, dict[str, Any]] = {}
    for file in FILES:
        for message in file.message_types_by_name.values():
            _add_message(found, message)
        for enum in file.enum_types_by_name.values():
            _add_enum(found, enum)
        for service in file.services_by_name.values():
            found[service.full_name] = {
                method.name: [
                    method.input_type.full_name,
                    method.output_type.full_name,
                    method.client_streaming,
                    method.server_streaming,
                ]
                for method in service.methods
            }
    return found


def _add_message(found: dict[str, dict[str, Any]], message: Descriptor) -> None:
    found[message.full_name] = {str(field.number): _field(field) for field in message.fields}
    for nested in message.nested_types:
        _add_message(found, nested)
    for enum in message.enum_types:
        _add_enum(found, enum)


def _add_enum(found: dict[str, dict[str, Any]], enum: EnumDescriptor) -> None:
    found[enum.full_name] = {str(value.number): value.name for value in enum.values}


def _field(field: FieldDescriptor) -> list[Any]:
    of = field.message_type or field.enum_type
    oneof = field.containing_oneof.name if field.containing_oneof else None
    return [field.name, field.type, field.is_repeated, of.full_name if of else None, oneof]


def merged(old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What was recorded, and what was added since."""
    return {name: new.get(name, {}) | old.get(name, {}) for name in sorted(old | new)}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    if len(sys.argv) == 3:
        name, full_name = sys.argv[1:]
        message = json_format.ParseDict(json.load(sys.stdin), message_class(full_name)())
        with (FOLDER / f"{name}.hex").open("x") as file:
            file.write(message.SerializeToString(deterministic=True).hex() + "\n")
        expected = {"message": full_name, "value": as_json(message)}
        (FOLDER / f"{name}.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
    old = json.loads(DESCRIPTORS.read_text()) if DESCRIPTORS.exists() else {}
    DESCRIPTORS.write_text(json.dumps(merged(old, descriptors()), indent=1) + "\n")


if __name__ == "__main__":
    main()
