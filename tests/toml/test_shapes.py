from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pytest

from guardian_toml.shapes import UNREADABLE, convert


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def not_even(number: int) -> str:
    return f"must be even, is {number}" if number % 2 else ""


Even = Annotated[int, msgspec.Meta(ge=0, extra={"wrong": not_even})]


class Inner(msgspec.Struct, frozen=True):
    size: int
    deep: tuple[str, ...] = ()


class Outer(msgspec.Struct, frozen=True, kw_only=True):
    later: ClassVar = frozenset({"wings"})

    name: str
    ratio: Annotated[float, msgspec.Meta(ge=0.1, le=1)] = 0.5
    count: Annotated[int, msgspec.Meta(gt=0, lt=10, description="how many")] = 1
    on: bool = False
    colour: Colour = Colour.RED
    pick: Literal["a", "b", 3] = "a"
    inner: Inner | None = None
    inners: list[Inner] = []
    labels: dict[str, str] = {}
    either: int | str = 0
    some: Annotated[tuple[int, ...], msgspec.Meta(min_length=1)] = (1,)
    word: Annotated[str, msgspec.Meta(min_length=1, max_length=3, pattern="^[a-z]+$")] = "x"
    anything: Any = None
    even: Even = 0


class Notes:
    def __init__(self):
        self.lines = []

    def problem(self, path, text, *, at=None):
        self.lines.append((".".join(map(str, path)), text))


def problems(**values):
    notes = Notes()
    convert({"name": "n", **values}, Outer, (), notes)
    return notes.lines


def test_a_default_stands_for_a_bad_value_and_nothing_for_one_without():
    notes = Notes()
    assert convert({"name": "n", "ratio": "x"}, Outer, (), notes) == Outer(name="n")
    assert convert({"name": 5}, Outer, (), notes) is UNREADABLE
    assert len(notes.lines) == 2


def test_good_values_become_the_struct_with_its_defaults():
    notes = Notes()
    value = convert(
        {
            "name": "n",
            "ratio": 1,
            "colour": "blue",
            "pick": 3,
            "inner": {"size": 2, "deep": ["x"]},
            "inners": [{"size": 1}],
            "labels": {"a": "b"},
            "either": "text",
            "anything": [1],
        },
        Outer,
        (),
        notes,
    )
    assert notes.lines == []
    assert value == Outer(
        name="n",
        ratio=1.0,
        colour=Colour.BLUE,
        pick=3,
        inner=Inner(2, ("x",)),
        inners=[Inner(1)],
        labels={"a": "b"},
        either="text",
        anything=[1],
    )
    assert type(value.ratio) is float


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("name", 5, "must be text, is 5"),
        ("ratio", "x", 'must be a number, is "x"'),
        ("ratio", True, "must be a number, is true"),
        ("ratio", 0, "must be at least 0.1, is 0"),
        ("ratio", 2, "must be at most 1, is 2"),
        ("ratio", float("nan"), "must be at least 0.1, is nan"),
        ("count", 1.5, "must be a whole number, is 1.5"),
        ("count", 0, "must be more than 0, is 0"),
        ("count", 10, "must be less than 10, is 10"),
        ("on", 1, "must be true or false, is 1"),
        ("on", "yes", 'must be true or false, is "yes"'),
        ("colour", "blu", 'must be "red" or "blue", is "blu"; did you mean "blue"?'),
        ("colour", {}, 'must be "red" or "blue", is a table'),
        ("inner", 1, "must be a table, is 1"),
        ("inners", {}, "must be a list, is a table"),
        ("labels", [], "must be a table, is a list"),
        ("either", 1.5, "must be a whole number or text, is 1.5"),
        ("some", [], "must not be empty"),
        ("word", "", "must not be empty"),
        ("word", "abcd", "must have at most 3 characters, has 4"),
        ("word", "A\n", 'must match ^[a-z]+$, is "A\\n"'),
        ("word", "a\0b", 'must have no NUL character in it, is "a\\u0000b"'),
        ("even", -2, "must be at least 0, is -2"),
        ("even", 3, "must be even, is 3"),
        ("even", "x", 'must be a whole number, is "x"'),
        ("name", 10**30, f"must be text, is {10**30}"),
    ],
)
def test_a_bad_value_is_said_in_plain_words(key, value, text):
    assert problems(**{key: value}) == [(key, text)]


def test_numbers_too_large_and_infinite_are_refused():
    notes = Notes()
    assert convert(10**30, int, ("n",), notes) is UNREADABLE
    assert convert(float("inf"), float, ("n",), notes) is UNREADABLE
    assert [text[:44] for _, text in notes.lines] == ["must be a finite number of at most 64 bits, "] * 2


def test_all_problems_are_collected_and_not_only_the_first():
    lines = problems(ratio=0, nmae="x", inners=[{"size": "big"}, {"deep": [1]}], labels={"a": 1})
    assert sorted(lines) == [
        ("", 'no key "nmae"; did you mean "name"?'),
        ("inners.0.size", 'must be a whole number, is "big"'),
        ("inners.1", 'key "size" is missing'),
        ("inners.1.deep.0", "must be text, is 1"),
        ("labels.a", "must be text, is 1"),
        ("ratio", "must be at least 0.1, is 0"),
    ]


def test_an_unknown_key_unlike_any_known_one_lists_the_known():
    assert problems(inner={"size": 1, "zzz": 1}) == [("inner", 'no key "zzz"; known here: size, deep')]


def test_a_key_of_a_later_version_is_refused_by_name():
    assert problems(wings=2) == [("", 'key "wings" is not supported in this version')]


def test_a_long_value_is_shown_cut():
    [(_, text)] = problems(on="x" * 500)
    assert len(text) < 120
