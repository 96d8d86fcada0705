"""An aggregator's HTTP side, played by a thread, since the commands run loops of their own."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web


class FakeApi:
    """Answers each path with what `answers` has for it, and keeps what was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, tuple[int, str]] = {}
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []
        self.shown: list[str | None] = []  # the Authorization of each

    def at(self, path: str, answer: Any, status: int = 200) -> None:
        self.answers[path] = (status, answer if isinstance(answer, str) else json.dumps(answer))

    async def respond(self, request: web.Request) -> web.Response:
        self.asked.append((request.raw_path.partition("?")[0], list(request.query.items())))
        self.shown.append(request.headers.get("Authorization"))
        status, text = self.answers[request.path]
        return web.Response(status=status, text=text, content_type="application/json")


@pytest.fixture
def api() -> Iterator[FakeApi]:
    fake, started, stop = FakeApi(), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        application = web.Application()
        application.router.add_get("/{path:.*}", fake.respond)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        started.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait()
    yield fake
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()
