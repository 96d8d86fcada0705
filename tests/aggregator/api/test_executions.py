import pytest
from tests.aggregator.api import rows
from tests.aggregator.api.rows import ago


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["e6", "e7", "e5", "e4", "e3", "e2", "e1", "e8"]),
        ({"window": "24h", "playbook": "restart_component"}, ["e6", "e7", "e3", "e2", "e1"]),
        ({"open": "true"}, ["e6"]),
        ({"layer": "application"}, ["e5", "e4", "e8"]),
        ({"issue_type": "process_crashed"}, ["e7"]),
        ({"host": "web-2"}, ["e8"]),
        ({"limit": 2}, ["e6", "e7"]),
    ],
)
async def test_executions_are_listed_newest_first_and_narrowed_by_each_filter(story, get, parameters, expected):
    told = await get("/api/guardian/executions", **parameters)
    assert [each["id"] for each in told["executions"]] == expected


async def test_one_execution_tells_its_steps(story, get):
    told = await get("/api/guardian/executions/e1")
    assert (told["outcome"], told["playbook"], told["incident_id"]) == ("healed", "restart_component", "i1")
    assert told["steps"] == [
        {"index": 0, "describe": "systemctl restart nginx.service", "undo": None, "state": "applied", "error": None}
    ]


async def test_a_running_execution_has_no_outcome_yet(story, get):
    told = await get("/api/guardian/executions/e6")
    assert told["outcome"] is told["finished_at"] is told["duration_seconds"] is None


async def test_an_execution_that_nobody_knows_is_not_found(story, client):
    assert (await client.get("/api/guardian/executions/e99")).status == 404


async def test_an_execution_without_an_incident_is_told_and_counts_for_no_recovery(story, put, get):
    paths = ("/api/guardian/healer/stats", "/api/guardian/stats", "/api/guardian/failures/recent")
    before = [await get(path) for path in paths]
    daily = rows.execution(
        "e9", "", "daily_health_check", "completed", ago(60), target="host:self", issue_type="", steps=(),
        evidence={"problems": []}, reason="No problems.",
    )  # fmt: skip
    await put(daily)
    told = (await get("/api/guardian/executions", playbook="daily_health_check"))["executions"]
    assert [(each["id"], each["incident_id"], each["target"]) for each in told] == [("e9", None, "host:self")]
    assert (await get("/api/guardian/executions/e9"))["evidence"] == {"problems": []}
    after = [await get(path) for path in paths]
    for earlier, later in zip(before[:2], after[:2], strict=True):
        assert later["executions"]["success_rate"] == earlier["executions"]["success_rate"]
        assert later["executions"]["by_outcome"]["completed"] == earlier["executions"]["by_outcome"]["completed"] + 1
    assert after[0]["recent_runs"] == before[0]["recent_runs"] and after[2]["failures"] == before[2]["failures"]
    found = {one["id"]: one for one in (await get("/api/guardian/playbooks"))["playbooks"]}
    assert found["daily_health_check"]["success_rate"] is None
