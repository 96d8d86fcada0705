"""The whole agent over a fake host and a real state: what it knows, and what it knows again after a restart."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.fake_workloads import FakeUnit
from tests.agent.test_oneshot import HTTP, URL, WEB, config

from guardian_agent.app import Agent
from guardian_agent.host import KnownGood
from guardian_agent.model import Component, Mode, Outcome
from guardian_agent.state import Remember, State
from guardian_agent.uplink import encode
from guardian_agent.uplink.stream import ActingAllowed


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Waits for a condition of an agent that works in real time, ten seconds at most."""
    async with asyncio.timeout(10.0):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running(
    host: FakeHost,
    folder: Path,
    *,
    reloaded: bool = False,
    component: Component = WEB,
    hold_file: str = "/nowhere/hold",
) -> AsyncIterator[Agent]:
    """An agent that looks and heals, with its state in `folder`; it ends without tidying up, as if killed."""
    state = await State.open(folder, encode, host.clock.now, reserve_bytes=0)
    agent = Agent(msgspec.structs.replace(config(component), mode=Mode.HEAL, hold_file=Path(hold_file)), host, state)
    await agent.restore(reloaded=reloaded)
    work = [
        asyncio.ensure_future(agent.incidents.run()),
        asyncio.ensure_future(agent.hastening.run()),
        asyncio.ensure_future(agent.incidents.scheduler.run()),
    ]
    try:
        yield agent
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await state.close()


def web(host: FakeHost) -> FakeUnit:
    return host.unit("web.service", serves=HTTP, url=URL)


async def all_ok(agent: Agent) -> bool:
    probes = (await agent.status())["probes"]
    return all(probe["state"] == "ok" for probe in probes if not probe["target"].startswith("host:"))


async def healed(agent: Agent) -> bool:
    executions = await agent.state.recent_executions(10)
    return any(execution.outcome == Outcome.HEALED for execution in executions) and not agent.incidents.open


async def test_a_fault_is_healed_recorded_and_counted(tmp_path: Path) -> None:
    host = FakeHost()
    unit = web(host)
    async with running(host, tmp_path) as agent:
        await until(lambda: all_ok(agent))
        unit.crash()
        await until(lambda: healed(agent))
        assert await agent.state.counters() == agent.counters
        counters = agent.counters["restart_service"]
        assert (counters.executions, counters.successes, counters.failures) == (1, 1, 0)
        bounds = agent.state.outbox.bounds()
        assert bounds.next_seq > bounds.lowest_seq
    assert host.changes() == ["systemctl start web.service"]


async def test_what_was_learned_outlives_the_agent(tmp_path: Path) -> None:
    host = FakeHost()
    unit = web(host)
    async with running(host, tmp_path) as agent:
        await until(lambda: all_ok(agent))
        unit.crash()
        await until(lambda: healed(agent))
    async with running(host, tmp_path) as agent:
        assert all(watch.ever_good for watch in agent.incidents.scheduler.of_target("web"))
        assert len((await agent.status())["recent_executions"]) > 0
        assert agent.incidents.open == {}


async def test_a_unit_found_stopped_at_the_start_is_held(tmp_path: Path) -> None:
    host = FakeHost()
    host.unit("web.service", serves=HTTP, url=URL, up=False)
    async with running(host, tmp_path) as agent:
        assert "inactive" in (await agent.status())["held"]["web"]
    assert host.done == []


async def test_what_the_aggregator_forbade_holds_from_the_start_whether_or_not_it_is_still_configured(
    tmp_path: Path,
) -> None:
    host = FakeHost()
    web(host)
    async with running(host, tmp_path) as agent:
        await agent.state.submit(Remember("uplink", "acting_allowed", ActingAllowed(False)))
    async with running(host, tmp_path) as agent:
        assert agent.brakes.halted() == "the aggregator does not allow acting"


SLEEPER = Component(name="sleeper", command=("/bin/sleep", "1000"), start_grace_s=1.0)


async def test_a_held_host_starts_no_command(tmp_path: Path) -> None:
    host = FakeHost()
    (tmp_path / "hold").touch()
    async with running(host, tmp_path, component=SLEEPER, hold_file=str(tmp_path / "hold")):
        assert host.done == []
    async with running(host, tmp_path, component=SLEEPER):
        assert [type(operation).__name__ for operation in host.done] == ["StartCommand"]


async def test_a_command_that_died_is_left_to_its_incident_also_over_a_reload(tmp_path: Path) -> None:
    host = FakeHost()
    async with running(host, tmp_path, component=SLEEPER) as agent:
        await until(lambda: all_ok(agent))
    host.processes.by_name["sleeper"].crash()
    host.done.clear()
    async with running(host, tmp_path, component=SLEEPER, reloaded=True) as agent:
        assert host.done == []
        await until(lambda: healed(agent))
        assert [execution.outcome for execution in await agent.state.recent_executions(9)].count(Outcome.HEALED) == 1


async def test_what_is_good_is_known_again_after_a_restart(tmp_path: Path) -> None:
    host = FakeHost()
    web(host)
    async with running(host, tmp_path) as agent:
        await agent.learning.learn()
        good = host.known.good
        await agent.state.recall("known_good", KnownGood)
    again = FakeHost()
    web(again)
    async with running(again, tmp_path) as agent:
        assert again.known.good == good and good.uplink == "host0"
        assert (await agent.status())["known_good"]["addresses"] == ("198.18.0.2/16",)
