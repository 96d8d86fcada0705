import asyncio

import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB, nginx, running

from guardian_agent.model import Component, Outcome

DATABASE = Component(name="database", unit="database.service")
FRONT = msgspec.structs.replace(WEB, depends_on=("database",))


async def test_what_a_failing_dependency_explains_is_not_restarted() -> None:
    host = FakeHost()
    database, unit = host.unit("database.service"), nginx(host)
    async with running(host, DATABASE, FRONT) as scene:
        database.restart_after_s = 3600.0  # systemd goes first, so it is open for a while
        database.crash()
        unit.crash()
        await asyncio.sleep(5.0)
        incidents = {incident.target: incident for incident in scene.incidents}
        assert incidents["web"].explained_by == incidents["database"].incident_id
        assert not any("nginx" in change for change in host.changes())


async def test_what_rests_on_something_held_is_held_too_and_pages_nobody() -> None:
    host = FakeHost()
    database, unit = host.unit("database.service"), nginx(host)
    async with running(host, DATABASE, FRONT) as scene:
        await database.by_hand("stop")
        unit.crash()
        await asyncio.sleep(60.0)
        (incident,) = [incident for incident in scene.incidents if incident.target == "web"]
        assert incident.held and scene.remedies == [] and scene.pages == []
        assert not any("nginx" in change for change in host.changes())


async def test_once_what_was_held_is_back_the_rest_is_mended() -> None:
    host = FakeHost()
    database, unit = host.unit("database.service"), nginx(host)
    async with running(host, DATABASE, FRONT) as scene:
        await database.by_hand("stop")
        unit.crash()
        await asyncio.sleep(60.0)
        await database.by_hand("start")
        await asyncio.sleep(120.0)
        assert [outcome for _, outcome in scene.outcomes] == [Outcome.HEALED]
