import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_agent.host.escaped import escaped


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"plain", "plain"),
        ("größer".encode(), "größer"),
        (b"caf\xe9", r"caf\xe9"),
        (b"\xff\xfe/\xff", r"\xff\xfe/\xff"),
    ],
)
def test_undecodable_bytes_are_shown_by_their_numbers(name: bytes, shown: str) -> None:
    assert escaped(os.fsdecode(name)) == shown


@given(st.binary())
def test_every_name_of_a_file_can_be_written_down_as_it_is_shown(name: bytes) -> None:
    shown = escaped(os.fsdecode(name))
    assert shown.encode("utf-8").decode() == shown
