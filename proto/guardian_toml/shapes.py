"""Turns TOML values into msgspec structs and notes every problem on the way; msgspec itself stops at the first."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

import msgspec
from msgspec import inspect

from guardian_toml.places import KeyPath


class Unreadable:
    """Takes the place of a value about which a problem was noted."""


UNREADABLE: Final = Unreadable()


class Notes(Protocol):
    """Where problems go: `path` names the value, `at` the place to point to when that is another."""

    def problem(self, path: KeyPath, text: str, *, at: KeyPath | None = None) -> None: ...


def convert(value: Any, into: type, path: KeyPath, notes: Notes) -> Any:
    """`value` as an `into`, or UNREADABLE with at least one problem noted.

    What no limit can say of a value says the function in `msgspec.Meta(extra={"wrong": …})`: what is wrong with it, or
    nothing.
    """
    return _convert(value, inspect.type_info(into), path, notes)


def shown(value: Any) -> str:
    """A TOML value as an error line shows it: short, on one line."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool | str):
        text = json.dumps(value, ensure_ascii=False)
        return text if len(text) <= 80 else f'{text[:76]}…"'
    return str(value)


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean "…"?` with the known word most like `word`, or nothing when none is like it."""
    import difflib  # a fifth of a megabyte that an agent with a good configuration never needs

    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def one_of(choices: Sequence[Any]) -> str:
    words = [shown(choice) for choice in choices]
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def check_keys(
    table: dict[str, Any], known: Iterable[str], path: KeyPath, notes: Notes, later: frozenset[str] = frozenset()
) -> bool:
    """Notes each key of `table` that is not among `known`; those in `later` are said to be for a later version."""
    known = list(known)
    unknown = [key for key in table if key not in known]
    for key in unknown:
        if key in later:
            text = f'key "{key}" is not supported in this version'
        else:
            text = f"no key {shown(key)}" + (nearest(key, known) or f"; known here: {', '.join(known) or 'none'}")
        notes.problem(path, text, at=(*path, key))
    return not unknown


def _convert(value: Any, kind: inspect.Type, path: KeyPath, notes: Notes) -> Any:
    wrong = kind.extra.get("wrong") if isinstance(kind, inspect.Metadata) and kind.extra else None
    kind = _plain(kind, value)
    if isinstance(value, str) and "\0" in value:
        notes.problem(path, f"must have no NUL character in it, is {shown(value)}")
        return UNREADABLE
    if not _fits(value, kind):
        notes.problem(path, f"must be {_words(kind)}, is {shown(value)}")
        return UNREADABLE
    if wrong is not None and (text := wrong(value)):
        notes.problem(path, text)
        return UNREADABLE
    converter = _CONVERTERS.get(type(kind))
    return value if converter is None else converter(value, kind, path, notes)


def _plain(kind: inspect.Type, value: Any) -> inspect.Type:
    """`kind` without descriptions; of a union the alternative that fits `value` (TOML has no null)."""
    if isinstance(kind, inspect.Metadata):
        return _plain(kind.type, value)
    if isinstance(kind, inspect.UnionType):
        kinds = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
        fitting = [each for each in kinds if _fits(value, each)]
        return _plain((fitting or kinds)[0], value) if fitting or len(kinds) == 1 else kind
    return kind


_NAMES: dict[type[inspect.Type], tuple[str, tuple[type, ...]]] = {
    inspect.StrType: ("text", (str,)),
    inspect.BoolType: ("true or false", (bool,)),
    inspect.IntType: ("a whole number", (int,)),
    inspect.FloatType: ("a number", (int, float)),
    inspect.ListType: ("a list", (list,)),
    inspect.VarTupleType: ("a list", (list,)),
    inspect.DictType: ("a table", (dict,)),
    inspect.StructType: ("a table", (dict,)),
}


def _fits(value: Any, kind: inspect.Type) -> bool:
    """Is `value` of the TOML type that `kind` is written in? (Limits and choices are judged later.)"""
    if isinstance(kind, inspect.Metadata):
        return _fits(value, kind.type)
    if isinstance(kind, inspect.UnionType):
        return any(_fits(value, each) for each in kind.types)
    types = _NAMES.get(type(kind), ("", (object,)))[1]
    return isinstance(value, types) and (bool in types or object in types or not isinstance(value, bool))


def _words(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.Metadata):
        return _words(kind.type)
    if isinstance(kind, inspect.UnionType):
        return " or ".join(_words(each) for each in kind.types if not isinstance(each, inspect.NoneType))
    return _NAMES[type(kind)][0]


def _number(value: Any, kind: inspect.IntType | inspect.FloatType, path: KeyPath, notes: Notes) -> Any:
    limits: tuple[tuple[float | None, str, Callable[[float, float], bool]], ...] = (
        (kind.ge, "at least", lambda number, limit: number >= limit),
        (kind.gt, "more than", lambda number, limit: number > limit),
        (kind.le, "at most", lambda number, limit: number <= limit),
        (kind.lt, "less than", lambda number, limit: number < limit),
    )
    for limit, words, holds in limits:
        if limit is not None and not holds(value, limit):
            notes.problem(path, f"must be {words} {limit:g}, is {value}")
            return UNREADABLE
    if not -(2**63) <= value < 2**63:  # also what is not a number, or infinite
        notes.problem(path, f"must be a finite number of at most 64 bits, is {value}")
        return UNREADABLE
    return float(value) if isinstance(kind, inspect.FloatType) else value


def _text(value: str, kind: inspect.StrType, path: KeyPath, notes: Notes) -> Any:
    if not _length_holds(value, kind.min_length, kind.max_length, "characters", path, notes):
        return UNREADABLE
    if kind.pattern is not None and re.search(kind.pattern, value) is None:
        notes.problem(path, f"must match {kind.pattern}, is {shown(value)}")
        return UNREADABLE
    return value


def _length_holds(
    value: Sequence[Any], least: int | None, most: int | None, unit: str, path: KeyPath, notes: Notes
) -> bool:
    if least is not None and len(value) < least:
        notes.problem(path, "must not be empty" if least == 1 else f"must have at least {least} {unit}")
        return False
    if most is not None and len(value) > most:
        notes.problem(path, f"must have at most {most} {unit}, has {len(value)}")
        return False
    return True


def _choice(value: Any, kind: inspect.LiteralType, path: KeyPath, notes: Notes) -> Any:
    for choice in kind.values:
        if choice == value and type(choice) is type(value):
            return choice
    _wrong_choice(value, kind.values, path, notes)
    return UNREADABLE


def _member(value: Any, kind: inspect.EnumType, path: KeyPath, notes: Notes) -> Any:
    for member in kind.cls:
        if member.value == value and not isinstance(value, bool):
            return member
    _wrong_choice(value, [member.value for member in kind.cls], path, notes)
    return UNREADABLE


def _wrong_choice(value: Any, choices: Sequence[Any], path: KeyPath, notes: Notes) -> None:
    hint = nearest(value, [choice for choice in choices if isinstance(choice, str)]) if isinstance(value, str) else ""
    notes.problem(path, f"must be {one_of(choices)}, is {shown(value)}{hint}")


def _items(value: list[Any], kind: inspect.ListType | inspect.VarTupleType, path: KeyPath, notes: Notes) -> Any:
    items = [_convert(item, kind.item_type, (*path, index), notes) for index, item in enumerate(value)]
    if UNREADABLE in items or not _length_holds(items, kind.min_length, kind.max_length, "items", path, notes):
        return UNREADABLE
    return items if isinstance(kind, inspect.ListType) else tuple(items)


def _mapping(value: dict[str, Any], kind: inspect.DictType, path: KeyPath, notes: Notes) -> Any:
    items = {key: _convert(item, kind.value_type, (*path, key), notes) for key, item in value.items()}
    return UNREADABLE if UNREADABLE in items.values() else items


def _struct(value: dict[str, Any], kind: inspect.StructType, path: KeyPath, notes: Notes) -> Any:
    later: frozenset[str] = getattr(kind.cls, "later", frozenset())
    check_keys(value, [field.encode_name for field in kind.fields], path, notes, later)
    values: dict[str, Any] = {}
    whole = True
    for field in kind.fields:
        if field.encode_name in value:
            found = _convert(value[field.encode_name], field.type, (*path, field.encode_name), notes)
            if found is not UNREADABLE:
                values[field.name] = found
            elif field.required:
                whole = False
        elif field.required:
            notes.problem(path, f'key "{field.encode_name}" is missing')
            whole = False
    if not whole:
        return UNREADABLE
    # With a default in the place of what could not be read, so that this problem does not hide others of the table.
    instance: msgspec.Struct = kind.cls(**values)
    return instance


_CONVERTERS: dict[type[inspect.Type], Callable[[Any, Any, KeyPath, Notes], Any]] = {
    inspect.IntType: _number,
    inspect.FloatType: _number,
    inspect.StrType: _text,
    inspect.LiteralType: _choice,
    inspect.EnumType: _member,
    inspect.ListType: _items,
    inspect.VarTupleType: _items,
    inspect.DictType: _mapping,
    inspect.StructType: _struct,
}
