import pytest
from tests.aggregator.api import rows
from tests.aggregator.api.rows import ago

PATHS = ["/api/guardian/stats", "/api/guardian/incidents", "/openapi.json"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_who_has_the_answer_already_gets_none(story, client, path, coding):
    first = await client.get(path, headers={"Accept-Encoding": "identity"})
    known = {"If-None-Match": f'"other", {first.headers["ETag"]}', "Accept-Encoding": coding}
    again = await client.get(path, headers=known)
    assert (again.status, await again.read()) == (304, b"")
    for name in ("ETag", "Cache-Control", "Vary"):
        assert again.headers[name] == first.headers[name]
    assert first.headers["Cache-Control"] == "private, no-cache"


async def test_what_has_changed_is_answered_whole(story, put, client):
    first = await client.get("/api/guardian/stats")
    await put(rows.incident("new", "link_down", ago(30), 3, "auto"))
    again = await client.get("/api/guardian/stats", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 200 and again.headers["ETag"] != first.headers["ETag"]


async def test_any_tag_will_do_for_who_names_a_star(client):
    assert (await client.get("/api/guardian/stats", headers={"If-None-Match": "*"})).status == 304


async def test_neither_problems_nor_metrics_have_a_tag(client):
    for path in ("/api/guardian/stats?widnow=1h", "/metrics", "/nothing"):
        answer = await client.get(path, headers={"If-None-Match": "*"})
        assert answer.status != 304 and "ETag" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"
