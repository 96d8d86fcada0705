import tomli
from hypothesis import example, given
from hypothesis import strategies as st

from guardian_toml.places import places

LAYOUT = '''# a comment with [brackets] and key = 1
title = """
two lines" and # no comment
"""

[a.b]          # implies a
"quoted key" = 1
c.d = 2026-11-22 20:00:00

[a]
list = [
  1,   # one, [not] a list
  { x = "]", y = [true] },
  'it''s',
]

[[thing]]
name = "first"
[thing.inner]
x = 1
[[thing.part]]
y = 1
[[thing.part]]
y = 2

[[thing]]
raw = \'\'\'
[no.header]
\'\'\'
after = "\\"#"
'''.replace("'it''s'", "'its'")


def test_every_table_key_and_item_stands_where_a_reader_sees_it():
    found = places(LAYOUT)
    for path, line in {
        ("title",): 2,
        ("a",): 10,
        ("a", "b"): 6,
        ("a", "b", "quoted key"): 7,
        ("a", "b", "c", "d"): 8,
        ("a", "list"): 11,
        ("a", "list", 0): 12,
        ("a", "list", 1): 13,
        ("a", "list", 1, "y", 0): 13,
        ("a", "list", 2): 14,
        ("thing", 0): 17,
        ("thing", 0, "inner", "x"): 20,
        ("thing", 0, "part", 1): 23,
        ("thing", 0, "part", 1, "y"): 24,
        ("thing", 1): 26,
        ("thing", 1, "after"): 30,
    }.items():
        assert found[path] == line, path


def test_windows_line_ends_count_once():
    assert places("a = 1\r\n\r\nb = 2\r\n") == {("a",): 1, ("b",): 3}


def test_quotes_before_the_closing_ones_belong_to_the_text():
    assert places("a = \"\"\"x\"\"\"\"\"\nb = '''y'''''\nc = 1")[("c",)] == 3


def test_a_key_with_escapes_is_found_by_what_it_means():
    assert places('"\\u0061.b" = 1') == {("a.b",): 1}


keys = st.text(alphabet="ab-_1", min_size=1, max_size=3) | st.sampled_from(['"a.b"', "'c d'", '"\\u0061"'])
scalars = st.sampled_from(
    [
        "1",
        "-1.5e3",
        "inf",
        "true",
        '"s"',
        '"#]}"',
        '""',
        "'l'",
        '"""\nm"x\n"""',
        "'''\n[n]\n'''",
        "2026-01-01 10:00:00Z",
    ]
)
space = st.sampled_from(["", " ", "\n", " # c ] }\n", "\r\n"])
values = st.recursive(
    scalars,
    lambda inner: (
        st.tuples(st.lists(st.tuples(space, inner, space).map("".join), max_size=3), space, st.booleans()).map(
            lambda t: "[" + ",".join(t[0]) + ("," if t[2] and t[0] else "") + t[1] + "]"
        )
        | st.lists(st.tuples(keys, inner).map(" = ".join), max_size=3).map(lambda pairs: "{ " + ", ".join(pairs) + " }")
    ),
    max_leaves=6,
)
dotted = st.lists(keys, min_size=1, max_size=3).map(" . ".join)
lines = (
    st.tuples(dotted, values).map(" = ".join)
    | dotted.map("[ {} ]".format)
    | dotted.map("[[{}]]".format)
    | st.sampled_from(["", "# [x]\t"])
)


def paths_of(value, path=()):
    """Every path below a parsed value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from paths_of(item, (*path, key))


@given(st.lists(lines, max_size=8))
@example(["[[a]]", "[a.b]", "[[a.b.c]]", "[[a]]", "b.c = 1", "[[a.d]]"])
def test_it_finds_exactly_the_keys_that_the_parser_finds(texts):
    kept = []
    for text in texts:  # what TOML refuses, a second [a] for example, is left out
        try:
            tomli.loads("\n".join([*kept, text]))
        except tomli.TOMLDecodeError:
            continue
        kept.append(text)
    document = "\n".join(kept)
    assert set(places(document)) == set(paths_of(tomli.loads(document)))


@given(st.lists(st.tuples(keys, values), min_size=1, max_size=6))
def test_a_key_stands_on_the_line_where_its_text_begins(pairs):
    document, expected = "", {}
    for number, (key, value) in enumerate(pairs):
        try:
            tomli.loads(assignment := f"k{number}.{key} = {value}\n")
        except tomli.TOMLDecodeError:
            continue
        expected[(f"k{number}",)] = document.count("\n") + 1
        document += assignment
    found = places(document)
    assert {path: found[path] for path in expected} == expected
