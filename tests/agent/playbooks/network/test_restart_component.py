import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import SHOP, WEB, nginx
from tests.agent.playbooks.pages import example_steps
from tests.agent.playbooks.situations import situation

from guardian_agent.errors import CannotPlanError
from guardian_agent.model import Component
from guardian_agent.playbooks.network.restart_component import RestartComponent

PATIENT = msgspec.structs.replace(SHOP, stop_grace_s=7.0)


async def steps(host: FakeHost, component: Component, issue_type: str, attempts: int = 0) -> list[str]:
    planned = await RestartComponent().dry_run(situation(component, issue_type, attempts=attempts), host)
    return [step.describe for step in planned]


async def test_what_is_left_of_a_command_is_asked_to_end_before_it_is_started() -> None:
    expected = ["SIGTERM, after 7 s SIGKILL to every process of shop", "setsid /usr/bin/shop &"]
    assert await steps(FakeHost(), PATIENT, "process_crashed") == expected


@pytest.mark.parametrize(("issue_type", "attempts"), [("service_hung", 0), ("port_not_listening", 1)])
async def test_what_hangs_or_was_asked_before_is_killed(issue_type: str, attempts: int) -> None:
    host = FakeHost()
    nginx(host)
    assert (await steps(host, PATIENT, issue_type, attempts))[0] == "SIGKILL to every process of shop"
    assert "systemctl kill --signal=SIGKILL nginx.service" in await steps(host, WEB, issue_type, attempts)


async def test_a_unit_that_is_asked_for_the_first_time_is_only_restarted() -> None:
    host = FakeHost()
    nginx(host)
    assert await steps(host, WEB, "port_not_listening") == example_steps("restart_component")


async def test_a_component_without_unit_and_command_can_only_be_watched() -> None:
    with pytest.raises(CannotPlanError, match="can only be watched"):
        await RestartComponent().plan(situation(Component(name="bare")), FakeHost())
