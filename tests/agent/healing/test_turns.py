"""What is asked again of an incident that had to wait for its turn, since a host does one thing at a time."""

import asyncio

import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB, nginx, running

from guardian_agent.model import Component, Outcome

HEALED = Outcome.HEALED


async def test_what_its_dependency_accounts_for_by_the_time_of_its_turn_is_left_alone() -> None:
    host = FakeHost()
    web, database = nginx(host), host.unit("database.service")
    slow = host.unit("slow.service")
    slow.start_s = 15.0
    front = msgspec.structs.replace(WEB, depends_on=("database",))
    others = (Component(name="database", unit="database.service"), Component(name="slow", unit="slow.service"))
    async with running(host, front, *others, ladders={"http_error": ("restart_component",)}) as scene:
        slow.crash()
        await asyncio.sleep(1.0)  # its remedy takes 15 s
        web.status = 500
        await asyncio.sleep(5.0)  # web waits for its turn
        database.start_s = 10.0
        database.crash()
        await asyncio.sleep(18.0)
        assert scene.case().incident.explained_by == scene.case("database").incident.incident_id
        web.status = 200
        await asyncio.sleep(30.0)
        assert [(e.target, e.outcome) for e in scene.remedies] == [("slow", HEALED), ("database", HEALED)]
        assert not scene.agent.incidents.open


async def test_what_its_dependency_no_longer_accounts_for_is_healed_by_itself() -> None:
    host = FakeHost()
    web, database = nginx(host), host.unit("database.service")
    slow = host.unit("slow.service")
    slow.start_s = 15.0
    front = msgspec.structs.replace(WEB, depends_on=("database",))
    others = (Component(name="database", unit="database.service"), Component(name="slow", unit="slow.service"))
    async with running(host, front, *others, ladders={"http_error": ("restart_component",)}) as scene:
        slow.crash()
        await asyncio.sleep(1.0)
        web.status = 500
        await asyncio.sleep(5.0)
        database.crash()
        await asyncio.sleep(60.0)
        assert [(e.target, e.outcome) for e in scene.remedies] == [
            ("slow", HEALED),
            ("database", HEALED),
            ("web", HEALED),
        ]
