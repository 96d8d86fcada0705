import pytest

from guardian_aggregator.stats import METHOD_VERSION


async def test_issue_types_have_their_own_numbers_in_the_order_of_their_names(story, get):
    told = await get("/api/guardian/mttr/by-issue-type")
    assert [group["issue_type"] for group in told["issue_types"]] == [
        "http_error",
        "link_down",
        "port_not_listening",
        "process_crashed",
    ]
    by_name = {group["issue_type"]: group for group in told["issue_types"]}
    assert by_name["port_not_listening"]["mttr_seconds"] == pytest.approx(3)
    assert by_name["port_not_listening"]["recurrence_24h"] == pytest.approx(1 / 2)
    assert (by_name["link_down"]["count"], by_name["link_down"]["open"]) == (1, 1)
    assert by_name["link_down"]["mttr_seconds"] is None
    assert by_name["http_error"]["auto_heal_ratio"] == 0
    assert told["method_version"] == METHOD_VERSION
    assert told["next_cursor"] is None


async def test_a_whole_incident_goes_to_the_playbook_that_healed_it(story, get):
    told = await get("/api/guardian/mttr/by-playbook")
    assert [(group["playbook"], group["count"]) for group in told["playbooks"]] == [("restart_component", 2)]
    assert told["playbooks"][0]["mttr_seconds"] == pytest.approx(3)


async def test_what_no_playbook_healed_is_told_beside_them(story, get):
    rest = (await get("/api/guardian/mttr/by-playbook"))["without_playbook"]
    assert (rest["count"], rest["open"]) == (3, 1)
    assert rest["mttr_seconds"] == pytest.approx(155)


async def test_groups_and_the_rest_add_up_to_the_fleet(story, get):
    fleet = await get("/api/guardian/stats", window="7d")
    issues = await get("/api/guardian/mttr/by-issue-type", window="7d")
    books = await get("/api/guardian/mttr/by-playbook", window="7d")
    assert sum(group["count"] for group in issues["issue_types"]) == fleet["count"]
    assert sum(group["count"] for group in books["playbooks"]) + books["without_playbook"]["count"] == fleet["count"]


async def test_a_page_at_a_time_gives_every_group_once_and_keeps_the_window(story, get):
    names, cursor, windows = [], None, []
    while True:
        more = {"cursor": cursor} if cursor else {}
        told = await get("/api/guardian/mttr/by-issue-type", limit=1, **more)
        names += [group["issue_type"] for group in told["issue_types"]]
        windows.append(told["window"])
        cursor = told["next_cursor"]
        if cursor is None:
            break
    assert names == ["http_error", "link_down", "port_not_listening", "process_crashed"]
    assert all(window == windows[0] for window in windows)


async def test_without_incidents_both_lists_are_empty(get):
    assert (await get("/api/guardian/mttr/by-issue-type"))["issue_types"] == []
    assert (await get("/api/guardian/mttr/by-playbook"))["playbooks"] == []
