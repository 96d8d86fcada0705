"""What an operator's brakes do to a real agent in the midst of an incident: held, braked, only observing."""

from pathlib import Path
from typing import Any

from tests.end_to_end.agent_process import all_ok, free_port, kill_server, running, web, write_config

FAR_AWAY = (
    '[aggregator]\naddress = "127.0.0.1:1"\ninsecure = true\n'  # nobody is there; records are counted all the same
)


def acted(status: dict[str, Any]) -> list[tuple[str, str]]:
    """(playbook, outcome) of what was tried, oldest first, without the diagnosis beside it."""
    tried = [(each["playbook"], each["outcome"]) for each in reversed(status["recent_executions"])]
    return [each for each in tried if each[1] != "completed"]


async def test_a_hold_file_stops_all_acting_until_it_is_gone_again(tmp_path: Path) -> None:
    port = free_port()
    async with running(write_config(tmp_path, web(port))) as agent:
        await agent.status_when(all_ok, "all is good")
        (tmp_path / "hold").touch()
        kill_server(port)
        await agent.says("a human is needed: denied: the hold file .*hold is there")
        status = await agent.status_when(acted, "what would have been done is on record")
        assert acted(status) == [("restart_component", "denied")]
        assert len(status["incidents"]) == 1
        assert "hold" in status["brake"]
        (tmp_path / "hold").unlink()
        status = await agent.status_when(lambda status: not status["incidents"], "healed")
        assert acted(status) == [("restart_component", "denied"), ("restart_component", "healed")]
        assert len(agent.lines("a human is needed")) == 1


async def test_the_last_action_of_the_hour_is_the_last(tmp_path: Path) -> None:
    port = free_port()
    async with running(write_config(tmp_path, web(port), agent='mode = "heal"\nactions_per_hour = 1')) as agent:
        await agent.status_when(all_ok, "all is good")
        kill_server(port)
        await agent.says("restart_component: healed")
        await agent.status_when(all_ok, "all is good again")
        kill_server(port)
        await agent.says("a human is needed: denied: 1 actions? within the last hour")
        status = await agent.status()
        assert acted(status) == [("restart_component", "healed"), ("restart_component", "denied")]
        assert len(status["incidents"]) == 1
        assert "actions_per_hour is 1" in status["brake"]


async def test_observing_shows_what_would_be_done_and_does_nothing(tmp_path: Path) -> None:
    port = free_port()
    config = write_config(tmp_path, web(port))
    async with running(config) as agent:
        await agent.status_when(all_ok, "all is good")
        config.write_text(config.read_text().replace('"heal"', '"observe"'))
        agent.hang_up()
        await agent.says("ready: .*mode observe")
        await agent.status_when(all_ok, "all is still good: a reload leaves commands alone")
        kill_server(port)
        status = await agent.status_when(acted, "an execution is on record")
        assert acted(status) == [("restart_component", "dry_run")]
        assert len(status["incidents"]) == 1
        config.write_text(config.read_text().replace('"observe"', '"heal"'))
        agent.hang_up()
        await agent.status_when(lambda status: not status["incidents"] and all_ok(status), "up again")
