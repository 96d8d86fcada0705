from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from guardian_agent.model import Endpoint, Mode
from guardian_agent.plain import plain

TEXTS = st.text(st.characters(categories=("L", "Cs")))  # surrogates, too
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary() | st.builds(Path)
KEYS = TEXTS | st.integers() | st.tuples(st.integers())


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner) | st.tuples(inner)))
def test_whatever_was_found_can_be_written_as_json(found: object) -> None:
    assert msgspec.json.encode(plain(found))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_what_is_json_already_stays_as_it_is(found: object) -> None:
    assert plain(found) == found


def test_what_has_no_json_is_told_by_its_text() -> None:
    found = {
        "path": Path("/x"),
        "at": Endpoint("::1", 80),
        "mode": Mode.HEAL,
        "name": b"\xff".decode("utf-8", "surrogateescape"),
    }
    assert plain(found) == {"path": "/x", "at": {"host": "::1", "port": 80}, "mode": "heal", "name": "\\udcff"}
