import pytest
from tests.aggregator.api import rows
from tests.aggregator.api.rows import ago


async def test_the_fleets_numbers_are_those_computed_by_hand(story, get):
    told = await get("/api/guardian/stats")
    assert told["agents"] == {"total": 2, "connected": 1, "stale": 1}
    assert told["incidents"] == {
        "total": 5,
        "open": 1,
        "auto": 2,
        "manual": 1,
        "spontaneous": 1,
        "unknown": 0,
        "by_issue_type": {"http_error": 1, "link_down": 1, "port_not_listening": 2, "process_crashed": 1},
    }
    assert told["mttr_seconds"] == pytest.approx((2 + 4 + 300 + 10) / 4)
    assert told["rmst_seconds"] == pytest.approx(2 + 0.8 * 2 + 0.6 * 6 + 0.4 * 290 + 0.2 * 200)
    assert told["horizon_seconds"] == 500
    assert (told["p50"], told["p90"], told["p99"]) == (4, 300, 300)
    assert told["under_target_ratio"] == pytest.approx(3 / 5)
    assert told["auto_heal_ratio"] == pytest.approx(2 / 5)
    assert told["recurrence_24h"] == pytest.approx(1 / 5)
    assert told["by_resolution"]["auto"] == {"count": 2, "mttr_seconds": 3, "mttr_interval": None}
    assert told["target_seconds"] == 120
    assert told["method_version"] == 3


async def test_executions_are_counted_by_outcome_and_the_success_rate_is_of_those_that_tried(story, get):
    executions = (await get("/api/guardian/stats"))["executions"]
    assert executions["total"] == 7
    assert executions["running"] == 1
    assert {name: n for name, n in executions["by_outcome"].items() if n} == {
        "healed": 2,
        "ineffective": 1,
        "stuck": 1,
        "completed": 1,
        "dry_run": 1,
    }
    assert executions["success_rate"] == pytest.approx(2 / 4)


async def test_too_few_incidents_have_no_interval_and_the_answer_says_so(story, get):
    told = await get("/api/guardian/stats")
    assert told["mttr_interval"] is told["rmst_interval"] is told["auto_heal_interval"] is None
    assert any("too few to say" in note for note in told["notes"])


async def test_an_empty_fleet_has_no_mean_and_no_rate_but_an_answer(get):
    told = await get("/api/guardian/stats")
    assert told["agents"] == {"total": 0, "connected": 0, "stale": 0}
    assert told["mttr_seconds"] is told["p50"] is told["rmst_seconds"] is told["executions"]["success_rate"] is None
    assert told["notes"] == ["no incidents"]
    assert {layer["state"] for layer in told["layers"]} == {"unknown"}


async def test_the_window_is_the_last_24_hours_and_is_stated(story, get):
    told = await get("/api/guardian/stats")
    assert told["window"] == {"from": "2026-11-02T14:00:00Z", "to": "2026-11-03T14:00:00Z"}


async def test_a_wider_window_holds_the_older_incident(story, get):
    assert (await get("/api/guardian/stats", window="7d"))["incidents"]["total"] == 6


async def test_an_explicit_window_holds_its_first_moment_and_not_its_last(story, get):
    edges = {"from": "2026-11-03T13:00:00Z", "to": "2026-11-03T13:30:00Z"}
    assert (await get("/api/guardian/stats", **edges))["incidents"]["total"] == 1


@pytest.mark.parametrize(
    ("parameters", "total"),
    [
        ({"host": "web-1"}, 5),
        ({"host": "web-2"}, 0),
        ({"label.site": "ams"}, 5),
        ({"label.site": "ams", "label.role": "db"}, 0),
        ({"issue_type": "port_not_listening"}, 2),
        ({"playbook": "restart_component"}, 2),
        ({"layer": "7"}, 1),
        ({"layer": "application"}, 1),
        ({"layer": "host", "issue_type": "process_crashed"}, 1),
    ],
)
async def test_each_filter_narrows_the_incidents(story, get, parameters, total):
    assert (await get("/api/guardian/stats", **parameters))["incidents"]["total"] == total


async def test_a_recurrence_is_known_even_when_the_first_time_lies_before_the_window(story, get):
    told = await get("/api/guardian/stats", window="1h", issue_type="port_not_listening", host="web-1")
    assert told["incidents"]["total"] == 2  # i1 began exactly an hour ago: it belongs
    later = {"from": "2026-11-03T13:15:00Z", "to": "2026-11-03T14:00:00Z", "issue_type": "port_not_listening"}
    assert (await get("/api/guardian/stats", **later))["recurrence_24h"] == 1


async def test_lost_records_and_silent_hosts_are_in_the_coverage(story, put, get):
    await put(rows.gap("web-1", 5, 9, ago(60)))
    assert (await get("/api/guardian/stats"))["coverage"] == {
        "complete": False,
        "gaps": 1,
        "records_lost": 5,
        "lost_by_kind": {"transition": 5},
        "stale_agents": 1,
        "clocks_off": 0,
    }


async def test_with_enough_closed_incidents_the_intervals_are_there(put, store, get):
    await store.greet(rows.hello("web-1"), ago(10))
    await put(*(rows.incident(f"n{n}", "link_down", ago(1000 + n), n, "auto") for n in range(1, 21)))
    told = await get("/api/guardian/stats")
    assert told["notes"] == ["too few to say: 20 decided, 200 are needed for the interval of auto_heal_ratio"]
    assert told["mttr_interval"]["low"] < told["mttr_seconds"] == 10.5 < told["mttr_interval"]["high"]
    assert told["rmst_interval"]["level"] == 0.9


async def test_a_filter_of_incidents_says_nothing_of_the_layers(story, get):
    whole = (await get("/api/guardian/stats"))["layers"]
    for asked in ({"issue_type": "http_error"}, {"layer": "7"}, {"playbook": "x"}):
        assert (await get("/api/guardian/stats", **asked))["layers"] == whole
