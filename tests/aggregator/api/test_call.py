import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.aggregator.api.rows import NOW, SECOND

from guardian_aggregator.api.call import Call, found
from guardian_aggregator.api.cursors import Position, write_cursor
from guardian_aggregator.api.problems import Problem
from guardian_aggregator.model import Layer

DAY = 86_400 * SECOND


def call(scope="here", **values):
    return Call(queries=None, now_ns=NOW, scope=scope, values={"label": {}} | values)


def test_no_window_asked_for_is_none_or_the_last_day():
    assert call().span() is None
    assert call().span_or_day() == (NOW - DAY, NOW)


def test_a_window_ends_now():
    assert call(window=3600).span() == (NOW - 3600 * SECOND, NOW)


def test_a_cursor_keeps_the_window_of_its_first_page_whatever_time_it_is_now():
    cursor = write_cursor("here", Position((7, "x"), 100, 200))
    asked = call(window=3600, cursor=cursor)
    assert asked.span() == (100, 200)
    assert asked.after == (7, "x")


def test_a_cursor_of_a_list_without_a_window_brings_none():
    assert call(cursor=write_cursor("here", Position((7, "x")))).span() is None


@pytest.mark.parametrize(("since", "until"), [(5, 5), (6, 5), (NOW, None), (NOW + 1, None)])
def test_an_empty_window_is_refused(since, until):
    values = {"from": since} | ({} if until is None else {"to": until})
    with pytest.raises(Problem, match="must be before"):
        call(**values).span()


def test_every_filter_reaches_the_store():
    asked = call(
        host="h", label={"site": "ams"}, issue_type="i", playbook="p", layer=Layer.NETWORK, target="t", open=True, to=2
    )
    wanted = asked.filter((1, 2))
    assert (wanted.since_ns, wanted.until_ns, wanted.host, wanted.labels) == (1, 2, "h", {"site": "ams"})
    assert (wanted.issue_type, wanted.playbook, wanted.layer, wanted.component) == ("i", "p", 3, "t")
    assert wanted.open is True


def test_only_an_end_that_was_asked_for_and_lies_in_the_past_is_an_end():
    assert call(window=3600, label={}).filter((1, NOW)).until_ns is None
    assert call(to=NOW, label={}).filter((1, NOW)).until_ns is None
    assert call(to=NOW - 1, label={}).filter((1, NOW - 1)).until_ns == NOW - 1


@given(st.sets(st.text(min_size=1, max_size=5), max_size=20).map(sorted), st.integers(1, 25))
def test_page_by_page_every_row_comes_once_and_in_order(names, limit):
    seen, cursor = [], {}
    while True:
        page, more = call(limit=limit, **cursor).page(names, names)
        assert len(page) <= limit
        seen += page
        if more is None:
            break
        cursor = {"cursor": more}
    assert seen == names


def test_what_was_not_found_is_404_by_its_name():
    assert found("row", "host") == "row"
    with pytest.raises(Problem, match="no such host") as told:
        found(None, "host")
    assert told.value.status == 404
