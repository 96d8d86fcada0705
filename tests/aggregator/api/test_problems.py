import asyncio
import logging

import pytest
from aiohttp import web
from tests.aggregator.api.rows import NOW

from guardian_aggregator.api import make_application
from guardian_aggregator.errors import StoreError


class Broken:
    """Stands for a store whose every question goes wrong in one way."""

    def __init__(self, error):
        self.error = error

    def __getattr__(self, name):
        async def ask(*given, **named):
            raise self.error

        return ask


@pytest.fixture
def broken(aiohttp_client):
    async def make(error):
        return await aiohttp_client(make_application(Broken(error), now_ns=lambda: NOW))

    return make


async def problem(response):
    assert response.content_type == "application/problem+json"
    told = await response.json()
    assert told["type"] == "about:blank"
    assert told["status"] == response.status
    return told


@pytest.mark.parametrize("path", ["/api/guardian/nothing", "/api", "/api/guardian/hosts/a/b", "/api/guardian/stats/"])
async def test_a_path_where_nothing_is_served_says_so(client, path):
    response = await client.get(path)
    assert response.status == 404
    told = await problem(response)
    assert told["title"] == "Not Found"
    assert told["instance"] == path
    assert "parameter" not in told


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
async def test_another_method_is_refused_and_the_allowed_ones_are_named(client, method):
    response = await client.request(method, "/api/guardian/stats")
    assert response.status == 405
    assert response.headers["Allow"] == "GET,HEAD"
    assert (await problem(response))["detail"] == f"{method} is not for this path; allowed: GET, HEAD"


async def test_our_own_error_is_logged_and_not_told(broken, caplog):
    client = await broken(ZeroDivisionError("secret of the house"))
    response = await client.get("/api/guardian/stats")
    assert response.status == 500
    assert (await problem(response))["detail"] == "an error of ours; see the aggregator's log"
    assert "secret" not in await response.text()
    assert "secret of the house" in caplog.text


@pytest.mark.parametrize("path", ["/api/guardian/stats", "/api/guardian/incidents", "/readyz", "/metrics"])
async def test_a_store_that_cannot_be_read_is_503(broken, caplog, path):
    caplog.set_level(logging.ERROR)
    client = await broken(StoreError("disk gone"))
    response = await client.get(path)
    assert response.status == 503
    assert "disk gone" not in (await problem(response))["detail"]
    assert "disk gone" in caplog.text


async def test_a_client_that_gives_up_is_no_error_of_ours(queries, aiohttp_client, caplog):
    async def wait_for_ever(request):
        await asyncio.Event().wait()

    application = make_application(queries)
    application.router.add_get("/slow", wait_for_ever)
    client = await aiohttp_client(application)
    with pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(0.05):
            await client.get("/slow")
    assert caplog.text == ""


async def test_a_redirect_is_not_made_a_problem(queries, aiohttp_client):
    async def elsewhere(request):
        raise web.HTTPFound("/healthz")

    application = make_application(queries)
    application.router.add_get("/old", elsewhere)
    client = await aiohttp_client(application)
    assert (await client.get("/old", allow_redirects=False)).status == 302
