import msgspec
from hypothesis import given
from hypothesis import strategies as st

from guardian_aggregator.api.moments import moment, moment_or_none, window


@given(st.integers(0, 2**63 - 1))
def test_a_moment_is_exact_to_the_microsecond(at_ns):
    assert int(moment(at_ns).timestamp()) == at_ns // 10**9
    assert moment(at_ns).microsecond == at_ns // 1000 % 10**6


def test_times_are_told_in_utc_with_a_z():
    assert msgspec.json.encode(moment(1_793_714_400_000_000_000)) == b'"2026-11-03T14:00:00Z"'


def test_no_time_is_none():
    assert moment_or_none(None) is None
    assert moment_or_none(0) == moment(0)


def test_a_window_is_told_from_and_to():
    assert msgspec.json.encode(window(0, 10**9)) == b'{"from":"1970-01-01T00:00:00Z","to":"1970-01-01T00:00:01Z"}'
