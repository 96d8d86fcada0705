from datetime import UTC, datetime

import pytest

from guardian_ctl.wording import NOTHING, interval, moment, plain, seconds, several, share, since


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, NOTHING),
        (0.0, "0.000 s"),
        (0.0042, "0.004 s"),
        (0.0994, "0.099 s"),
        (0.0996, "0.10 s"),
        (1.3249, "1.32 s"),
        (9.994, "9.99 s"),
        (9.996, "10.0 s"),
        (99.94, "99.9 s"),
        (99.96, "1 min 40 s"),
        (120.0, "2 min"),
        (3599.6, "1 h"),
        (3 * 3600 + 61, "3 h 1 min"),
        (86_400 * 2 + 3600 * 5, "2 d 5 h"),
        (-1.5, "-1.50 s"),
    ],
)
def test_a_duration_has_three_digits_that_matter(value: float | None, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, NOTHING), (0.0, "0 %"), (1.0, "100 %"), (0.9999, "99.9 %"), (2 / 3, "66.7 %")]
)
def test_only_all_of_them_are_100_per_cent(value: float | None, text: str) -> None:
    assert share(value) == text


def test_an_interval_names_its_level() -> None:
    assert interval({"low": 1.0, "high": 2.5, "level": 0.9}) == " (90%: 1.00 s to 2.50 s)"
    assert interval(None) == ""


def test_a_moment_is_told_by_the_local_clock() -> None:
    told = moment("2026-11-22T02:59:01.5Z")
    assert told == f"{datetime(2026, 11, 22, 2, 59, 1, tzinfo=UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def test_a_clock_that_runs_ahead_makes_no_negative_age() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert since("2026-11-21T23:59:00Z", now) == 60.0
    assert since("2026-11-22T00:01:00Z", now) == 0.0


def test_nothing_that_a_host_tells_reaches_the_terminal_as_a_command() -> None:
    assert plain("a\x1b[2Jb\nc\u202ed") == "a\ufffd[2Jb\ufffdc\ufffdd"
    assert plain("") == plain(None) == NOTHING


def test_one_is_not_many() -> None:
    assert [several(count, "host") for count in (0, 1, 2)] == ["0 hosts", "1 host", "2 hosts"]
