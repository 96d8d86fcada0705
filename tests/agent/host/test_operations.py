"""An operation is data: it can be written down, read again after a crash, and shown before it is done."""

import importlib
import shlex
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_agent.host import operations
from guardian_agent.host.operations import Change, Operation, RunProgram, StartCommand, from_json, to_json

MEMBERS: tuple[type[Operation], ...] = get_args(Operation)

VALUES: dict[object, st.SearchStrategy[object]] = {
    float: st.floats(0, 1e9),
    tuple[str, ...]: st.lists(st.text(), min_size=1).map(tuple),
}


def built(member: type[Any]) -> st.SearchStrategy[Any]:
    """Any value of a struct."""
    fields = {field.name: field.type for field in msgspec.structs.fields(member)}
    return st.builds(member, **{name: VALUES.get(type_, st.from_type(type_)) for name, type_ in fields.items()})


any_operation = st.one_of(*map(built, MEMBERS))


@given(operation=any_operation)
def test_what_is_written_down_is_read_again(operation: Operation) -> None:
    written = msgspec.json.decode(msgspec.json.encode(to_json(operation)))
    assert written["type"] == type(operation).__name__
    assert from_json(written) == operation


@given(operation=any_operation)
def test_every_operation_can_be_shown(operation: Operation) -> None:
    assert operation.describe()


@given(argv=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"))).map(tuple))
def test_a_program_is_shown_as_a_shell_would_read_it(argv: tuple[str, ...]) -> None:
    assert tuple(shlex.split(RunProgram(argv=argv).describe())) == argv
    assert shlex.split(StartCommand("web", argv).describe()) == ["setsid", *argv, "&"]


def _is_change(one: object) -> bool:
    return isinstance(one, type) and issubclass(one, Change) and one is not Change


def test_every_operation_of_the_folder_is_in_the_union() -> None:
    folder = Path(operations.__file__).parent
    families = [importlib.import_module(f"{operations.__name__}.{path.stem}") for path in folder.glob("[a-z]*.py")]
    changes = {one for family in families for one in vars(family).values() if _is_change(one)}
    assert changes == set(MEMBERS)


@pytest.mark.parametrize(
    "value",
    [
        {"type": "DeleteEverything"},
        {"unit": "web.service"},
        {"type": "StartUnit"},
        {"type": "StartUnit", "unit": 3},
        {"type": "StopCommand", "component": "web", "grace_s": "long"},
    ],
)
def test_what_this_version_does_not_know_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        from_json(value)
