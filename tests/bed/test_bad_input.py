"""What an operator gets wrong on a real host: said clearly, and everything else goes on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.bed.fleet import Fleet
from tests.bed.guardian import NGINX, Guardian
from tests.bed.host import Host
from tests.bed.ledger import AT_ONCE, assert_nothing_lost, streams
from tests.bed.waiting import until

AGENT, CONFIG = "guardian-agent.service", "/etc/guardian/agent.toml"
GHOST = """
[[component]]
name = "ghost"
unit = "ghost.service"
"""


@pytest.fixture(scope="module")
def guardian(fleet: Fleet) -> Guardian:
    async def start() -> Guardian:
        guardian = await Guardian.on(fleet)
        await guardian.start_aggregator()
        await guardian.start_agent(
            fleet["h1"], components=GHOST + NGINX, agent={"actions_per_hour": 1000}, extra=AT_ONCE
        )
        return guardian

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(start())


class Operator:
    """Somebody at h1, whose configuration is put back in the end."""

    def __init__(self, guardian: Guardian, host: Host, config: str) -> None:
        self.guardian = guardian
        self.host = host
        self.config = config

    async def writes(self, old: str, new: str) -> None:
        """Changes the configuration, from the good one each time."""
        assert old in self.config
        await self.host.write_file(CONFIG, self.config.replace(old, new))

    async def logged(self, text: str) -> list[str]:
        """The agent's lines with this text, all boots and runs of it."""
        return [line for line in (await self.host.journal(AGENT, lines=10_000)).splitlines() if text in line]

    async def reads(self, text: str) -> None:
        """Waits until that is in the agent's journal."""

        async def there() -> list[str]:
            return await self.logged(text)

        await until(there, f"the journal says {text!r}", within_s=20)

    async def web_is(self, state: str) -> None:
        async def is_it() -> bool:
            return (await self.host.exec("systemctl", "is-active", "nginx")).out.strip() == state

        await until(is_it, f"nginx is {state}", within_s=30)

    async def breaks_web(self) -> None:
        await self.host.must("systemctl", "kill", "--signal=KILL", "nginx")
        await self.web_is("failed")

    async def rests(self) -> None:
        """Waits until nothing is open and the aggregator has it all."""

        async def calm() -> bool:
            answer = await self.host.exec("guardian-agent", "status", "--json")
            if not answer.out:
                return False
            status = await self.guardian.status(self.host)
            web = [probe for probe in status["probes"] if probe["target"] == "web"]
            good = not status["incidents"] and all(probe["state"] == "ok" for probe in web)
            return good and status["uplink"]["unacknowledged"] == 0

        await until(calm, "h1 is at rest", within_s=40)


@pytest.fixture
async def operator(fleet: Fleet, guardian: Guardian) -> AsyncIterator[Operator]:
    host = fleet["h1"]
    operator = Operator(guardian, host, await host.read_file(CONFIG))
    await operator.rests()
    yield operator
    if await host.read_file(CONFIG) != operator.config:
        await host.write_file(CONFIG, operator.config)
        await host.must("systemctl", "restart", AGENT)
    await operator.rests()
    await assert_nothing_lost(guardian, host)


async def test_a_unit_that_does_not_exist_is_named_once_and_the_others_are_healed(operator: Operator) -> None:
    await operator.host.must("systemctl", "kill", "--signal=KILL", "nginx")
    await operator.reads("restart_service: healed")
    await operator.rests()
    assert len(await operator.logged("ghost.service does not exist")) == 1
    assert len(await operator.logged("ghost.service cannot be judged")) <= 1
    assert [incident["target"] for incident in await operator.guardian.incidents(operator.host)] == ["web"]


async def test_a_reload_of_a_broken_configuration_leaves_the_old_one_in_force(operator: Operator) -> None:
    before = await healings(operator)
    await operator.writes("[agent]", "[agnet]")
    reload = await operator.host.exec("systemctl", "reload", AGENT)
    assert not reload.ok
    await operator.reads('no key "agnet"; did you mean "agent"?')
    await operator.host.must(
        "systemctl", "kill", "--signal=HUP", AGENT
    )  # the signal alone, without the check before it
    await operator.reads("the new configuration is not used, the old one stays")
    await operator.host.must("systemctl", "kill", "--signal=KILL", "nginx")

    async def healed() -> bool:
        return await healings(operator) > before

    await until(healed, "the old configuration heals", within_s=30)


async def healings(operator: Operator) -> int:
    return len(await operator.logged("restart_service: healed"))


async def test_started_with_a_broken_configuration_it_says_why_and_heals_once_that_is_mended(
    operator: Operator,
) -> None:
    await operator.writes("[agent]", "[agent]\nmdoe = 1")
    await operator.host.exec("systemctl", "restart", AGENT)
    await operator.reads('agent: no key "mdoe"; did you mean "mode"?')
    await operator.breaks_web()
    state = await operator.host.must("systemctl", "show", "--property=ActiveState,ExecMainStatus", AGENT)
    assert set(state.split()) == {"ExecMainStatus=78", "ActiveState=failed"}
    await operator.host.write_file(CONFIG, operator.config)
    await operator.host.must("systemctl", "restart", AGENT)  # systemd does not try again what no retry mends
    await operator.web_is("active")
    await operator.rests()
    assert await operator.logged("Traceback") == []


async def test_a_state_folder_that_cannot_be_written_is_named_and_nothing_is_lost(operator: Operator) -> None:
    before = (await streams(operator.guardian.fleet.hub, "h1"))[-1]
    await operator.writes("[agent]", '[agent]\nstate_dir = "/var/lib/elsewhere"')
    await operator.host.exec("systemctl", "restart", AGENT)
    await operator.reads("/var/lib/elsewhere: cannot be used as state folder: Read-only file system")
    assert await operator.logged("Traceback") == []
    await operator.host.write_file(CONFIG, operator.config)
    await operator.rests()
    (after,) = await streams(operator.guardian.fleet.hub, "h1")
    assert after.epoch == before.epoch
    assert after.records[: len(before.records)] == before.records


async def test_a_protected_unit_is_watched_and_never_touched(operator: Operator) -> None:
    await operator.writes("[agent]", '[agent]\nprotected = ["nginx.service"]')
    await operator.host.must("systemctl", "restart", AGENT)
    await operator.rests()
    await operator.breaks_web()
    await operator.reads("nginx.service is protected")

    async def paged() -> list[dict[str, Any]]:
        failures = (await operator.guardian.get("/api/guardian/failures/recent"))["failures"]
        return [failure for failure in failures if failure["kind"] == "page"]

    await until(paged, "a human is called", within_s=30)
    await operator.web_is("failed")
    (incident, *_) = await operator.guardian.incidents(operator.host)
    told = await operator.guardian.get(f"/api/guardian/incidents/{incident['id']}")
    outcomes = {each["outcome"] for each in told["executions"] if each["outcome"] != "completed"}
    assert outcomes == {"denied"}
    await operator.host.must("systemctl", "start", "nginx")
    await operator.rests()
    told = await operator.guardian.get(f"/api/guardian/incidents/{incident['id']}")
    assert (told["resolution"], told["recovered_by"]) == ("manual", "operator")
