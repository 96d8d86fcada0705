import pytest
from tests.aggregator.api import rows
from tests.aggregator.api.rows import ago


async def test_totals_are_those_of_the_window(story, get):
    told = await get("/api/guardian/healer/stats")
    assert (told["healed"], told["failed"], told["success_rate"]) == (2, 2, 0.5)
    assert told["executions"]["total"] == 7


async def test_recent_runs_are_those_that_tried_to_heal_newest_first_and_may_be_older_than_the_window(story, get):
    runs = (await get("/api/guardian/healer/stats"))["recent_runs"]
    assert [(run["id"], run["outcome"]) for run in runs] == [
        ("e4", "stuck"),
        ("e3", "healed"),
        ("e2", "ineffective"),
        ("e1", "healed"),
        ("e8", "healed"),
    ]


async def test_there_are_never_more_than_five_recent_runs(story, put, get):
    await put(*(rows.execution(f"x{n}", "i1", "restart_component", "healed", ago(100 + n)) for n in range(6)))
    runs = (await get("/api/guardian/healer/stats"))["recent_runs"]
    assert [run["id"] for run in runs] == ["x0", "x1", "x2", "x3", "x4"]


async def test_nothing_run_is_no_rate(get):
    told = await get("/api/guardian/healer/stats")
    assert (told["success_rate"], told["recent_runs"]) == (None, [])


async def test_playbooks_of_all_hosts_are_put_together(story, get):
    told = await get("/api/guardian/playbooks")
    by_id = {each["id"]: each for each in told["playbooks"]}
    assert list(by_id) == ["diagnose_network", "restart_component", "restart_service"]
    restart = by_id["restart_component"]
    assert (restart["family"], restart["tier"], restart["hosts"]) == ("network", 2, 2)
    assert restart["heals"] == ["port_not_listening"]
    assert restart["success_rate"] == pytest.approx(2 / 3)
    assert restart["executions"]["running"] == 1
    assert restart["last_run_at"] == "2026-11-03T13:59:55Z"
    assert restart["reported"] == {"executions": 4, "successes": 2, "failures": 1}


async def test_a_playbook_that_ran_but_that_no_host_has_told_of_is_listed_all_the_same(story, get):
    by_id = {each["id"]: each for each in (await get("/api/guardian/playbooks"))["playbooks"]}
    assert (by_id["restart_service"]["family"], by_id["restart_service"]["hosts"]) == (None, 0)


async def test_diagnosis_claims_no_healing(story, get):
    by_id = {each["id"]: each for each in (await get("/api/guardian/playbooks"))["playbooks"]}
    assert by_id["diagnose_network"]["success_rate"] is None
    assert by_id["diagnose_network"]["executions"]["by_outcome"]["completed"] == 1


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        ({"playbook": "diagnose_network"}, ["diagnose_network"]),
        ({"issue_type": "port_not_listening"}, ["restart_component"]),
        ({"host": "web-2"}, ["restart_component"]),
        ({"limit": 1}, ["diagnose_network"]),
    ],
)
async def test_playbooks_can_be_narrowed(story, get, parameters, ids):
    assert [each["id"] for each in (await get("/api/guardian/playbooks", **parameters))["playbooks"]] == ids


async def test_a_playbook_that_ran_for_an_issue_type_it_does_not_list_is_found_by_it(story, put, get):
    await put(rows.execution("x1", "i3", "restart_component", "healed", ago(100), issue_type="http_error"))
    told = (await get("/api/guardian/playbooks", issue_type="http_error"))["playbooks"]
    assert "restart_component" in [each["id"] for each in told]
