"""The agent dies or is restarted in the midst of a repair: the host is healed all the same, and the truth is told."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from tests.bed.fleet import Fleet
from tests.bed.guardian import Guardian
from tests.bed.host import Host
from tests.bed.ledger import AT_ONCE, assert_nothing_lost
from tests.bed.waiting import until
from tests.bed.watch import Watch, watching

SLOW_START_S = 3
AGENT = "guardian-agent.service"

# Verifying takes 30 looks, three seconds.
WEB = """
[[component]]
name = "web"
unit = "nginx.service"
[component.health]
http = "http://127.0.0.1/"
timeout_s = 0.25
interval_s = 0.5
rise = 30
confirm_interval_s = 0.1
"""


@pytest.fixture(scope="module")
def guardian(fleet: Fleet) -> Guardian:
    async def start() -> Guardian:
        guardian = await Guardian.on(fleet)
        await guardian.start_aggregator()
        await guardian.start_agent(fleet["h1"], components=WEB, agent={"actions_per_hour": 1000}, extra=AT_ONCE)
        return guardian

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(start())


class Repair:
    """One fault on h1 and what is done about it."""

    def __init__(self, guardian: Guardian, host: Host, watch: Watch, known: set[str]) -> None:
        self.guardian = guardian
        self.host = host
        self.watch = watch
        self._known = known

    async def in_flight(self, state: str) -> dict[str, Any]:
        """The execution that is at work, once its last step is in this state."""

        async def at_it() -> dict[str, Any]:
            for execution in (await self.guardian.status(self.host))["recent_executions"]:
                if execution["outcome"] is None and execution["steps"][-1]["state"] == state:
                    return dict(execution)
            return {}

        return await until(at_it, f"a step is {state}", within_s=20, every_s=0.02)

    async def kill_agent(self) -> None:
        """SIGKILL for its main process; waits until systemd has started it again."""
        before = await self._main_pid()
        await self.host.must("systemctl", "kill", "--kill-whom=main", "--signal=KILL", AGENT)

        async def again() -> bool:
            started = await self._main_pid() not in (before, "0")
            return started and (await self.host.exec("systemctl", "is-active", "--quiet", AGENT)).ok

        await until(again, "the agent runs again", within_s=20)

    async def healed(self) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """The one new incident, closed, with (id, outcome) of what was done, once a client is answered again.

        Nothing was lost on the way, and no two executions overlapped.
        """
        bad = await self.watch.wait_bad()
        await self.watch.wait_good(after=bad.asked, within_s=30)
        await self.guardian.all_good(self.host)
        await assert_nothing_lost(self.guardian, self.host)
        every = await self.guardian.incidents(self.host)
        (new,) = [incident for incident in every if incident["id"] not in self._known]
        incident = await self.guardian.get(f"/api/guardian/incidents/{new['id']}")
        done = [each for each in incident["executions"] if each["outcome"] != "completed"]
        assert all(earlier["finished_at"] <= later["started_at"] for earlier, later in pairwise(done))
        return incident, [(each["id"], each["outcome"]) for each in done]

    async def _main_pid(self) -> str:
        return (await self.host.must("systemctl", "show", "--property=MainPID", "--value", AGENT)).strip()


@pytest.fixture
async def repair(fleet: Fleet, guardian: Guardian) -> AsyncIterator[Repair]:
    host = fleet["h1"]
    await guardian.all_good(host)
    known = {incident["id"] for incident in await guardian.incidents(host)}
    async with watching(fleet.hub, f"http://{host.address}/") as watch:
        yield Repair(guardian, host, watch, known)


@pytest.fixture
async def slow(fleet: Fleet) -> AsyncIterator[None]:
    """nginx takes seconds to start."""
    folder = "/run/systemd/system/nginx.service.d"
    await fleet["h1"].write_file(f"{folder}/slow.conf", f"[Service]\nExecStartPre=/bin/sleep {SLOW_START_S}\n")
    await fleet["h1"].must("systemctl", "daemon-reload")
    yield
    await fleet["h1"].must("rm", "-r", folder)
    await fleet["h1"].must("systemctl", "daemon-reload")


async def starts(host: Host) -> int:
    """How often systemd has begun to start nginx."""
    return (await host.journal("nginx", lines=10_000)).count("Starting nginx.service")


@pytest.mark.usefixtures("slow")
async def test_killed_while_a_step_is_applied_it_says_interrupted_and_the_host_is_healed(repair: Repair) -> None:
    before = await starts(repair.host)
    await repair.host.must("systemctl", "kill", "--signal=KILL", "nginx")
    execution = await repair.in_flight("applying")
    await repair.kill_agent()
    incident, done = await repair.healed()
    assert done[0] == (execution["execution_id"], "interrupted")
    assert incident["issue_type"] == "service_failed"
    assert incident["resolution"] == ("auto" if done[-1][1] == "healed" else "spontaneous")
    assert await starts(repair.host) - before == len(done)


async def test_killed_while_it_verifies_it_says_interrupted_and_the_host_is_healed(repair: Repair) -> None:
    await repair.host.must("systemctl", "kill", "--signal=STOP", "nginx")
    execution = await repair.in_flight("applied")
    await repair.kill_agent()
    incident, done = await repair.healed()
    assert done == [(execution["execution_id"], "interrupted")]
    assert incident["issue_type"] == "service_hung"


@pytest.mark.usefixtures("slow")
async def test_restarted_in_order_it_finishes_what_it_does(repair: Repair) -> None:
    await repair.host.must("systemctl", "kill", "--signal=KILL", "nginx")
    execution = await repair.in_flight("applying")
    await repair.host.must("systemctl", "restart", AGENT)
    incident, done = await repair.healed()
    assert done[0] == (execution["execution_id"], "healed")
    assert {outcome for _, outcome in done[1:]} <= {"superseded"}
    assert (incident["resolution"], incident["playbook"]) == ("auto", "restart_service")


@pytest.mark.usefixtures("slow")
async def test_killed_again_and_again_it_heals_in_the_end(repair: Repair) -> None:
    await repair.host.must("systemctl", "kill", "--signal=KILL", "nginx")
    for _ in range(3):
        await repair.kill_agent()
    incident, done = await repair.healed()
    assert {outcome for _, outcome in done} <= {"interrupted", "healed", "rolled_back", "superseded"}
    assert incident["closed_at"]
