import asyncio
import threading

from guardian_aggregator.api import liveness, make_application


async def test_alive_is_said_without_asking_the_store(queries, aiohttp_client):
    client = await aiohttp_client(make_application(None))
    assert await (await client.get("/healthz")).json() == {"status": "ok"}


async def test_ready_is_said_when_the_store_answers(get):
    assert await get("/readyz") == {"status": "ready", "store": "ok"}


async def test_a_store_that_was_closed_is_not_ready(store, queries, aiohttp_client):
    client = await aiohttp_client(make_application(queries))
    queries.close()
    response = await client.get("/readyz")
    assert response.status in {500, 503}


async def test_a_store_that_hangs_is_not_ready(aiohttp_client, monkeypatch):
    class Hanging:
        async def answers(self):
            await asyncio.Event().wait()

    monkeypatch.setattr(liveness, "_STORE_TIMEOUT_S", 0.05)
    client = await aiohttp_client(make_application(Hanging()))
    response = await client.get("/readyz")
    assert response.status == 503
    assert "did not answer" in (await response.json())["detail"]


async def test_it_is_not_ready_while_the_newest_commit_failed(queries, aiohttp_client):
    client = await aiohttp_client(make_application(queries, store_failure=lambda: "disk full"))
    response = await client.get("/readyz")
    assert response.status == 503
    assert "keep" in (await response.json())["detail"]
    assert (await client.get("/healthz")).status == 200


async def test_it_is_ready_while_a_long_question_is_asked(queries, aiohttp_client):
    client = await aiohttp_client(make_application(queries))
    release = threading.Event()
    queries._thread.submit(release.wait)
    try:
        assert (await client.get("/readyz")).status == 200
    finally:
        release.set()
