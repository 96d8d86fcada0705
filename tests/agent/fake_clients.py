"""What a fake host's workloads and name servers say to a client that minds what it gets."""

import asyncio
from collections.abc import Callable

from tests.agent.fake_workloads import FakeWorkload

from guardian_agent.host import Answer, GrpcAnswer, Held, NameAnswer, Page, Presented, Resumed
from guardian_agent.model import Endpoint

CONNECTED, REFUSED = Answer(connected=True), Answer(connected=False, refused=True)
GOOD_PAGE = b'{"all": "is well"}'
FAR_S = 4_000_000_000.0  # good until then
FOUND = NameAnswer(code="NOERROR", elapsed_s=0.001)


class FakeClients:
    """All is good where a workload serves; what a test puts into the dictionaries goes first."""

    def __init__(self, workloads: Callable[[], list[FakeWorkload]]) -> None:
        self._workloads = workloads
        self.pages: dict[str, Page] = {}  # by URL
        self.held: dict[str | Endpoint, Held] = {}
        self.through: list[str | None] = []  # by which addresses pages were asked for
        self.presenting: dict[Endpoint, Presented] = {}
        self.resuming: dict[Endpoint, Resumed] = {}
        self.name_servers: dict[str, NameAnswer] = {}  # what a server says to everything …
        self.names: dict[str, NameAnswer] = {}  # … or every server about a name
        self.health: dict[Endpoint, GrpcAnswer] = {}

    async def page(self, url: str, timeout_s: float, *, through: str | None = None, limit_bytes: int = 1 << 20) -> Page:
        self.through.append(through)
        if url in self.pages:
            return self.pages[url]
        workload = next((one for one in self._workloads() if one.url == url), None)
        if workload is None or not workload.up or workload.deaf:
            return Page(answer=REFUSED)
        if workload.frozen:
            await asyncio.sleep(timeout_s)
            return Page(answer=CONNECTED)
        return Page(
            answer=Answer(connected=True, status=workload.status),
            headers={"content-type": "application/json"},
            body=GOOD_PAGE,
        )

    async def hold_page(self, url: str, answer_within_s: float, hold_s: float, *, through: str | None = None) -> Held:
        page = await self.page(url, answer_within_s, through=through)
        if page.answer.status is None:
            return Held(answer=page.answer)
        await asyncio.sleep(hold_s)
        return self.held.get(url, Held(answer=page.answer, held_s=hold_s))

    async def hold(self, endpoint: Endpoint, connect_within_s: float, hold_s: float) -> Held:
        if not self._serves(endpoint):
            return Held(answer=REFUSED)
        await asyncio.sleep(hold_s)
        return self.held.get(endpoint, Held(answer=CONNECTED, held_s=hold_s))

    async def presented(
        self, endpoint: Endpoint, timeout_s: float, *, name: str | None, ca_file: str | None
    ) -> Presented:
        return self.presenting.get(endpoint, Presented(answer=CONNECTED, not_after_wall_s=FAR_S))

    async def resumed(self, endpoint: Endpoint, timeout_s: float, *, name: str | None) -> Resumed:
        return self.resuming.get(endpoint, Resumed(answer=CONNECTED, resumed=True, ever=True, version="TLSv1.3"))

    async def ask_name(self, server: str, name: str, kind: str, timeout_s: float) -> NameAnswer:
        answer = self.names.get(name, self.name_servers.get(server, FOUND))
        if not answer.code and "no answer" in answer.reason:
            await asyncio.sleep(timeout_s)
        return answer

    async def grpc_health(self, endpoint: Endpoint, service: str, timeout_s: float) -> GrpcAnswer:
        return self.health.get(endpoint, GrpcAnswer(answer=CONNECTED, code="OK", serving="SERVING"))

    def _serves(self, endpoint: Endpoint) -> bool:
        return any(one.listening and one.serves and one.serves.port == endpoint.port for one in self._workloads())
