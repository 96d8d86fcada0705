import pytest

from guardian_aggregator.api import ENDPOINTS

STATS = "/api/guardian/stats"
LISTS = [each.path for each in ENDPOINTS if any(parameter.name == "limit" for parameter in each.parameters)]

WRONG = [
    ({"window": "2h"}, "window", "must be one of 1h, 24h, 7d, 30d"),
    ({"window": ""}, "window", "must be one of"),
    ({"window": "1h", "from": "2026-11-03T00:00:00Z"}, "window", "not together with from or to"),
    ({"from": "yesterday"}, "from", "RFC 3339"),
    ({"from": "2026-11-03T00:00:00"}, "from", "with its zone, such as 2026-11-03T14:00:00Z"),
    ({"from": "2026-11-03T00:00:00 01:00"}, "from", "such as 2026-11-03T14:00:00Z (a + in it is written %2B)"),
    ({"from": "0001-01-01T00:00:00Z"}, "from", "between 1970 and 2262"),
    ({"from": "0001-01-01T00:00:00+23:59"}, "from", "between 1970 and 2262"),
    ({"from": "2026-11-03T12:00:00Z", "to": "2026-11-03T12:00:00Z"}, "from", "must be before to"),
    ({"from": "2030-01-01T00:00:00Z"}, "from", "must be before to (or before now"),
    ({"to": "2026-11-32T00:00:00Z"}, "to", "RFC 3339"),
    ({"to": "9999-12-31T23:59:59Z"}, "to", "between 1970 and 2262"),
    ({"host": ""}, "host", "1 to 256 characters"),
    ({"host": "x" * 257}, "host", "1 to 256 characters"),
    ({"label.site": ""}, "label.site", "1 to 256 characters"),
    ({"label.": "ams"}, "label.", "no parameter"),
    ({"label": "ams"}, "label", "no parameter"),
    ({"issue_type": ""}, "issue_type", "1 to 256 characters"),
    ({"playbook": ""}, "playbook", "1 to 256 characters"),
    ({"layer": "9"}, "layer", "must be one of physical"),
    ({"layer": "L4"}, "layer", "must be one of physical"),
    ({"hots": "web-1"}, "hots", "no parameter 'hots'; did you mean host?"),
    ({"limit": "5"}, "limit", "no parameter 'limit'"),
]
WRONG_IN_LISTS = [
    ({"limit": "0"}, "limit", "from 1 to 1000"),
    ({"limit": "1001"}, "limit", "from 1 to 1000"),
    ({"limit": "-1"}, "limit", "from 1 to 1000"),
    ({"limit": "ten"}, "limit", "from 1 to 1000"),
    ({"limit": "1e3"}, "limit", "from 1 to 1000"),
    ({"limit": "٣"}, "limit", "from 1 to 1000"),
    ({"limit": "9" * 200}, "limit", "from 1 to 1000"),
    ({"cursor": "Z3JldA"}, "cursor", "damaged"),
    ({"cursor": "ä"}, "cursor", "damaged"),
    ({"cursor": ""}, "cursor", "1 to 4096 characters"),
    ({"surprise": "1"}, "surprise", "no parameter 'surprise'"),
]


async def refused(client, path, parameters, name, words):
    response = await client.get(path, params=parameters)
    told = await response.json()
    assert response.status == 400
    assert response.content_type == "application/problem+json"
    assert told["parameter"] == name
    assert words in told["detail"]
    assert told["instance"] == path


@pytest.mark.parametrize(("parameters", "name", "words"), WRONG)
async def test_a_wrong_parameter_is_refused_by_name(client, parameters, name, words):
    await refused(client, STATS, parameters, name, words)


@pytest.mark.parametrize(("parameters", "name", "words"), WRONG_IN_LISTS)
@pytest.mark.parametrize("path", LISTS)
async def test_every_list_refuses_a_wrong_limit_cursor_or_unknown_parameter(client, path, parameters, name, words):
    await refused(client, path, parameters, name, words)


@pytest.mark.parametrize("path", [each.path for each in ENDPOINTS] + ["/metrics", "/openapi.json"])
async def test_every_path_refuses_what_it_does_not_know(client, path):
    path = path.replace("{id}", "x")
    await refused(client, path, {"surprise": "1"}, "surprise", "no parameter 'surprise'")


@pytest.mark.parametrize(
    ("parameters", "name", "words"),
    [
        ({"open": "yes"}, "open", "must be one of true, false"),
        ({"open": "True"}, "open", "must be one of true, false"),
        ({"target": ""}, "target", "1 to 256 characters"),
        ({"id": "i1"}, "id", "no parameter"),
    ],
)
async def test_the_lists_own_parameters_are_checked_too(client, parameters, name, words):
    await refused(client, "/api/guardian/incidents", parameters, name, words)


@pytest.mark.parametrize("query", ["host=a&host=b", "label.site=a&label.site=b", "window=1h&window=1h"])
async def test_a_parameter_given_twice_is_refused(client, query):
    response = await client.get(f"{STATS}?{query}")
    assert response.status == 400
    assert "more than once" in (await response.json())["detail"]


async def test_an_id_that_none_can_have_is_refused(client):
    assert (await client.get("/api/guardian/hosts/" + "x" * 257)).status == 400


async def test_from_alone_reaches_until_now_and_to_alone_a_day_back(get):
    since = await get(STATS, **{"from": "2026-11-03T13:30:00+01:00"})
    assert since["window"] == {"from": "2026-11-03T12:30:00Z", "to": "2026-11-03T14:00:00Z"}
    until = await get(STATS, to="2026-11-03T10:00:00Z")
    assert until["window"] == {"from": "2026-11-02T10:00:00Z", "to": "2026-11-03T10:00:00Z"}


async def test_a_label_named_like_a_parameter_is_only_a_label(story, get):
    told = await get(STATS, **{"label.host": "web-1", "host": "web-1"})
    assert told["agents"]["total"] == 0


async def test_strange_values_are_looked_for_and_not_found(story, get):
    for value in ("' OR 1=1 --", "%", "\x00", "\ud7ff", "😀"):
        assert (await get(STATS, host=value))["agents"]["total"] == 0
