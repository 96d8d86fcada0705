import pytest
from tests.aggregator.api import rows
from tests.aggregator.api.rows import ago


async def ids(get, **parameters):
    return [each["id"] for each in (await get("/api/guardian/incidents", **parameters))["incidents"]]


async def test_all_incidents_are_listed_newest_first_counted_or_not(story, get):
    assert await ids(get) == ["i7", "i6", "i5", "i4", "i3", "i2", "i1", "i8"]


async def test_without_a_window_it_is_the_whole_history(story, get):
    told = await get("/api/guardian/incidents")
    assert told["window"] is None


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"window": "1h"}, ["i7", "i6", "i5", "i4", "i3", "i2", "i1"]),
        ({"open": "true"}, ["i6", "i5"]),
        ({"open": "false", "issue_type": "http_error"}, ["i3", "i8"]),
        ({"target": "eth0"}, ["i5"]),
        ({"playbook": "restart_service"}, ["i8"]),
        ({"layer": "physical"}, ["i5"]),
        ({"label.site": "fra"}, ["i8"]),
    ],
)
async def test_each_filter_narrows_the_list(story, get, parameters, expected):
    assert await ids(get, **parameters) == expected


async def test_every_page_size_gives_every_incident_once(story, get):
    whole = await ids(get)
    for limit in range(1, 10):
        pieces, cursor = [], {}
        while True:
            told = await get("/api/guardian/incidents", limit=limit, **cursor)
            pieces += [each["id"] for each in told["incidents"]]
            if told["next_cursor"] is None:
                break
            cursor = {"cursor": told["next_cursor"]}
        assert pieces == whole


async def test_one_incident_tells_how_it_went_and_what_was_done(story, get):
    told = await get("/api/guardian/incidents/i2")
    assert told["time_to_recover_seconds"] == 4
    assert told["recover_upper_seconds"] == 5
    assert (told["resolution"], told["playbook"], told["open"], told["counted"]) == (
        "auto",
        "restart_component",
        False,
        True,
    )
    assert told["first_bad_at"] == "2026-11-03T13:30:00Z"
    assert told["verified_at"] == "2026-11-03T13:30:04Z"
    assert told["decided_at"] is told["explained_by"] is None
    assert [(run["id"], run["outcome"]) for run in told["executions"]] == [("e2", "ineffective"), ("e3", "healed")]


async def test_the_held_and_the_explained_are_not_counted(story, get):
    assert (await get("/api/guardian/incidents/i7"))["counted"] is False
    assert (await get("/api/guardian/incidents/i6"))["counted"] is False
    assert (await get("/api/guardian/incidents/i6"))["explained_by"] == "i5"


async def test_an_incident_that_nobody_knows_is_not_found(story, client):
    assert (await client.get("/api/guardian/incidents/i99")).status == 404


async def test_a_list_ends_before_it_is_too_large_and_goes_on_at_its_cursor(put, get, monkeypatch):
    monkeypatch.setattr("guardian_aggregator.store.rows.LARGEST_LIST", 10_000)
    large = {"evidence": {"text": "x" * 4000}}
    await put(*(rows.incident(f"i{n}", "link_down", ago(100 + n), 4, "manual", **large) for n in range(7)))
    await put(*(rows.execution(f"e{n}", "i0", "A", "stuck", ago(100.5 + n), **large) for n in range(7)))
    for path, key, number in (
        ("incidents", "incidents", 7),
        ("executions", "executions", 7),
        ("failures/recent", "failures", 14),
    ):
        found, asked = [], {}
        while True:
            told = await get(f"/api/guardian/{path}", **asked)
            assert 0 < len(told[key]) <= 6
            found += [each["id"] for each in told[key]]
            if told["next_cursor"] is None:
                break
            asked = {"cursor": told["next_cursor"]}
        assert len(found) == len(set(found)) == number
    assert (await get("/api/guardian/incidents/i0"))["evidence"] == large["evidence"]


async def test_the_longest_id_still_makes_a_cursor_that_is_taken(put, get):
    await put(*(rows.incident("\U0001f600" * 63 + str(n), "link_down", ago(100 + n)) for n in range(2)))
    first = await get("/api/guardian/incidents", limit=1, window="1h")
    assert len(first["next_cursor"]) > 256
    rest = await get("/api/guardian/incidents", limit=1, window="1h", cursor=first["next_cursor"])
    assert [each["id"][-1] for each in rest["incidents"]] == ["1"]
