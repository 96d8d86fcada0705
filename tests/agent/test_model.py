"""The words that have a law: stamps, endpoints, identifiers."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.state.samples import stamps

from guardian_agent.model import Endpoint, Stamp, uuid7


@given(earlier=stamps, later=stamps)
def test_within_one_boot_the_wall_clock_makes_no_difference(earlier: Stamp, later: Stamp) -> None:
    seconds = Stamp("b", later.boottime_ns, later.wall_ns).seconds_since(Stamp("b", earlier.boottime_ns, 0))
    assert seconds == (later.boottime_ns - earlier.boottime_ns) / 1e9


@given(earlier=stamps, later=stamps)
def test_across_boots_it_is_wall_time_and_never_negative(earlier: Stamp, later: Stamp) -> None:
    before, after = Stamp("one", earlier.boottime_ns, earlier.wall_ns), Stamp("two", later.boottime_ns, later.wall_ns)
    assert after.seconds_since(before) == max(0, later.wall_ns - earlier.wall_ns) / 1e9


@pytest.mark.parametrize(
    ("host", "text"), [("127.0.0.1", "tcp:127.0.0.1:80"), ("web", "tcp:web:80"), ("::1", "tcp:[::1]:80")]
)
def test_an_endpoint_is_written_so_that_host_and_port_can_be_told_apart(host: str, text: str) -> None:
    assert str(Endpoint(host, 80)) == text


@given(wall_ns=st.integers(0, 2**63 - 1))
def test_an_identifier_is_a_uuid_of_version_7_with_its_time(wall_ns: int) -> None:
    text = uuid7(wall_ns)
    read = uuid.UUID(text)
    assert str(read) == text
    assert (read.version, read.variant) == (7, uuid.RFC_4122)
    assert read.int >> 80 == wall_ns // 1_000_000 % 2**48


@given(earlier=st.integers(0, 2**62), milliseconds=st.integers(1, 2**40))
def test_identifiers_sort_by_their_time(earlier: int, milliseconds: int) -> None:
    assert uuid7(earlier) < uuid7(earlier + milliseconds * 1_000_000)


def test_identifiers_of_one_moment_differ() -> None:
    assert len({uuid7(0) for _ in range(1000)}) == 1000
