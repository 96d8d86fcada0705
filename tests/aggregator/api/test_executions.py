import pytest


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
