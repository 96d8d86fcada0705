import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from guardian_aggregator.api.cursors import Position, read_cursor, write_cursor
from guardian_aggregator.api.problems import Problem

numbers = st.integers(0, 2**63 - 1)
positions = st.builds(Position, st.tuples(numbers, st.text(max_size=40)), st.none() | numbers, st.none() | numbers)


@given(st.text(max_size=50), positions)
def test_what_was_written_is_read(scope, position):
    assert read_cursor(scope, write_cursor(scope, position)) == position


@given(positions, st.data())
def test_a_cursor_with_one_character_changed_is_refused(position, data):
    cursor = write_cursor("here", position)
    at = data.draw(st.integers(0, len(cursor) - 1))
    other = data.draw(st.characters(codec="ascii"))
    assume(other != cursor[at])
    with pytest.raises(Problem):
        read_cursor("here", cursor[:at] + other + cursor[at + 1 :])


@given(positions, st.text(max_size=20), st.text(max_size=20))
def test_a_cursor_of_another_question_is_refused(position, scope, other):
    assume(scope != other)
    with pytest.raises(Problem):
        read_cursor(other, write_cursor(scope, position))


@given(st.text(max_size=80))
def test_any_other_text_is_refused(text):
    with pytest.raises(Problem):
        read_cursor("here", text)


async def test_a_cursor_goes_only_with_the_filters_of_its_list(story, client, get):
    cursor = (await get("/api/guardian/incidents", limit=1))["next_cursor"]
    other = await client.get("/api/guardian/incidents", params={"cursor": cursor, "host": "web-1"})
    assert other.status == 400
    elsewhere = await client.get("/api/guardian/executions", params={"cursor": cursor})
    assert elsewhere.status == 400


async def test_the_limit_may_change_from_page_to_page(story, get):
    cursor = (await get("/api/guardian/incidents", limit=1))["next_cursor"]
    rest = await get("/api/guardian/incidents", limit=100, cursor=cursor)
    assert [each["id"] for each in rest["incidents"]] == ["i6", "i5", "i4", "i3", "i2", "i1", "i8"]
