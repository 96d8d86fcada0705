from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_agent.encodable import DEEPEST, encodable

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
ODD: st.SearchStrategy[Any] = st.text(st.characters(codec=None)) | st.binary() | st.complex_numbers() | st.floats()


@given(PLAIN)
def test_what_json_knows_stays_as_it_is(found: Any) -> None:
    assert encodable(found) == found


@given(
    st.recursive(PLAIN | ODD, lambda inner: st.lists(inner) | st.dictionaries(PLAIN.map(repr) | st.integers(), inner))
)
def test_whatever_was_found_can_be_written_down(found: Any) -> None:
    msgspec.json.encode(encodable(found)).decode()


@pytest.mark.parametrize(
    ("found", "written"),
    [
        ({"file": Path("/x")}, {"file": "/x"}),
        ({"target": "/tmp/\udcff"}, {"target": "/tmp/\\udcff"}),
        ({1: {2}}, {"1": [2]}),
        (float("inf"), "inf"),
    ],
)
def test_what_json_does_not_know_is_told_by_its_text(found: Any, written: Any) -> None:
    assert encodable(found) == written


def test_what_holds_itself_comes_to_an_end() -> None:
    ring: list[Any] = []
    ring.append(ring)
    assert len(msgspec.json.encode(encodable(ring))) < 3 * DEEPEST + 100
