import pytest
from tests.aggregator.api import rows
from tests.aggregator.api.rows import ago


async def test_an_open_incident_of_a_host_whose_clock_runs_ahead_is_zero_seconds_old(put, get):
    await put(rows.incident("ahead", "link_down", ago(-30)))
    told = await get("/api/guardian/stats", **{"from": "2026-11-03T13:00:00Z", "to": "2026-11-03T15:00:00Z"})
    assert told["open"] == 1
    assert told["auto_heal_ratio"] is None


async def test_the_hosts_own_duration_counts_and_not_the_wall_clocks(put, get):
    row = rows.incident("i", "link_down", ago(100), 5, "auto", verified_at=ago(10), closed_at=ago(9))
    await put(row)
    assert (await get("/api/guardian/stats"))["mttr_seconds"] == 5


async def test_one_that_closed_without_a_duration_counts_by_the_wall_clock(put, get):
    row = rows.incident("i", "link_down", ago(100), None, "spontaneous", closed_at=ago(90))
    await put(row)
    assert (await get("/api/guardian/stats"))["mttr_seconds"] == pytest.approx(10)


async def test_one_that_is_verified_but_not_closed_yet_is_still_open(put, get):
    await put(rows.incident("i", "link_down", ago(100), None, verified_at=ago(1)))
    assert (await get("/api/guardian/stats"))["open"] == 1


async def test_what_came_back_on_another_host_is_no_recurrence(put, get):
    await put(
        rows.incident("a", "link_down", ago(1000), 5, "auto"),
        rows.incident("b", "link_down", ago(900), 5, "auto", agent_id="web-2"),
    )
    assert (await get("/api/guardian/stats"))["recurrence_24h"] == 0


async def test_what_came_back_after_another_playbook_is_still_a_recurrence(put, get):
    await put(
        rows.incident("a", "link_down", ago(1000), 5, "manual"),
        rows.incident("b", "link_down", ago(900), 5, "auto"),
        rows.execution("e", "b", "bounce_link", "healed", ago(899)),
    )
    assert (await get("/api/guardian/stats", playbook="bounce_link"))["recurrence_24h"] == 1


async def test_incidents_are_counted_by_their_first_bad_look_to_the_nanosecond(put, get):
    start = ago(86_400)
    await put(*(rows.incident(f"i{ns}", "link_down", start + ns, 1, "auto") for ns in (-1, 0)))
    assert (await get("/api/guardian/stats"))["count"] == 1


async def test_a_recovery_before_its_first_bad_look_counts_and_is_in_no_duration(put, get):
    await put(
        rows.incident("a", "link_down", ago(100), None, "auto", closed_at=ago(105)),
        rows.incident("b", "link_down", ago(90), 4, "auto"),
    )
    told = await get("/api/guardian/stats")
    assert (told["count"], told["incidents"]["auto"], told["mttr_seconds"]) == (2, 2, 4)
    assert any("cannot be" in note for note in told["notes"])


async def test_an_open_incident_of_a_silent_host_lasts_until_that_was_last_heard(store, put, get):
    await store.greet(rows.hello("web-1"), ago(7000))
    await put(
        rows.incident("open", "link_down", ago(7010)), rows.incident("closed", "link_down", ago(7100), 60, "auto")
    )
    assert (await get("/api/guardian/stats"))["horizon_seconds"] == 7010
    await store.parted("web-1", ago(7000))
    told = await get("/api/guardian/stats")
    assert (told["open"], told["horizon_seconds"], told["under_target_ratio"]) == (1, 60, 1)


async def test_closed_without_a_known_word_is_closed_and_open_with_one_is_open(put, get):
    await put(
        rows.incident("a", "link_down", ago(100), 4, None),
        rows.incident("b", "link_down", ago(90), 4, "unknown_9"),
        rows.incident("c", "link_down", ago(80), None, "auto"),
    )
    told = await get("/api/guardian/stats")
    assert (told["open"], told["incidents"]["unknown"], told["incidents"]["auto"]) == (1, 2, 0)
    assert told["by_resolution"]["unknown"]["mttr_seconds"] == 4
    assert any("say how they ended" in note for note in told["notes"])


async def test_hosts_whose_clock_is_ahead_do_not_vanish_from_a_window_that_ends_now(put, get):
    await put(
        rows.incident("open", "link_down", ago(-3600)),
        rows.incident("closed", "link_down", ago(-3), 4, "auto"),
        rows.page("p", "open", ago(-3600)),
    )
    for asked in ({}, {"window": "1h"}, {"from": "2026-11-03T13:00:00Z"}, {"to": "2026-11-03T14:00:00Z"}):
        assert (await get("/api/guardian/stats", **asked))["count"] == 2
        assert [each["id"] for each in (await get("/api/guardian/failures/recent", **asked))["failures"]] == ["p"]
    assert (await get("/api/guardian/stats", to="2026-11-03T13:59:59Z"))["count"] == 0


async def test_a_playbook_asked_for_is_the_only_group_and_has_what_is_its_own(put, get):
    later = {"finished_at": ago(50)}
    await put(
        rows.incident("both", "link_down", ago(100), 4, "auto"),
        rows.incident("a", "link_down", ago(90), 4, "auto"),
        rows.execution("e1", "both", "A", "healed", ago(99)),
        rows.execution("e2", "both", "B", "healed", ago(98), **later),
        rows.execution("e3", "a", "A", "healed", ago(89)),
    )
    told = await get("/api/guardian/mttr/by-playbook", playbook="A")
    assert [(group["playbook"], group["count"]) for group in told["playbooks"]] == [("A", 1)]
