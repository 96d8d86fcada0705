from tests.aggregator.api import rows
from tests.aggregator.api.rows import ago


async def test_what_did_not_heal_is_told_newest_first(story, get):
    told = (await get("/api/guardian/failures/recent"))["failures"]
    assert [(each["kind"], each["id"], each["reason"]) for each in told] == [
        ("page", "p1", "ladder_exhausted"),
        ("incident", "i5", "ladder_exhausted"),
        ("execution", "e4", "the port still does not listen"),
        ("incident", "i3", "healed_by_hand"),
        ("execution", "e2", "the port still does not listen"),
    ]


async def test_a_page_carries_its_text_for_a_human(story, get):
    first = (await get("/api/guardian/failures/recent", limit=1))["failures"][0]
    assert first["text"] == "eth0 has no carrier; nothing that Guardian may do has helped"
    assert first["incident_id"] == "i5"


async def test_an_incident_is_a_failure_once_it_is_open_past_the_target(put, get):
    await put(rows.incident("young", "link_down", ago(119)), rows.incident("old", "link_down", ago(121)))
    told = (await get("/api/guardian/failures/recent"))["failures"]
    assert [(each["id"], each["reason"]) for each in told] == [("old", "open_past_target")]


async def test_what_was_denied_superseded_or_only_diagnosed_is_no_failure(put, get):
    outcomes = ("denied", "expired", "superseded", "completed", "dry_run", None)
    await put(*(rows.execution(f"e{n}", "i", "p", outcome, ago(n)) for n, outcome in enumerate(outcomes)))
    assert (await get("/api/guardian/failures/recent"))["failures"] == []


async def test_every_outcome_that_tried_and_did_not_heal_is_a_failure(put, get):
    outcomes = ("ineffective", "inconclusive", "rolled_back", "stuck", "interrupted")
    await put(*(rows.execution(f"e{n}", "i", "p", outcome, ago(n + 1)) for n, outcome in enumerate(outcomes)))
    told = (await get("/api/guardian/failures/recent"))["failures"]
    assert tuple(each["outcome"] for each in told) == outcomes


async def test_page_by_page_it_is_the_same_list(story, get):
    whole = (await get("/api/guardian/failures/recent"))["failures"]
    for limit in (1, 2, 3, 4):
        pieces, cursor = [], {}
        while True:
            told = await get("/api/guardian/failures/recent", limit=limit, **cursor)
            pieces += told["failures"]
            if told["next_cursor"] is None:
                break
            cursor = {"cursor": told["next_cursor"]}
        assert pieces == whole
