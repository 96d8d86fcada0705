import os

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import SHOP, WEB, nginx, running, shop, until
from tests.agent.playbooks.pages import example_steps
from tests.agent.playbooks.situations import situation
from tests.agent.playbooks.test_playbooks import NoJournal

from guardian_agent.config import PlaybookSettings
from guardian_agent.errors import CannotPlanError
from guardian_agent.host.operations import KillProcess
from guardian_agent.model import Component, Endpoint, Outcome, Tier
from guardian_agent.playbooks.base import Plan
from guardian_agent.playbooks.network.clear_port import ClearPort

LEAVE = {"clear_port": PlaybookSettings(tier=Tier.AUTOMATIC), "rebind_port": PlaybookSettings(enabled=False)}


def down() -> FakeHost:
    host = FakeHost()
    nginx(host).go_down("failed", "exit-code")
    return host


async def plan(host: FakeHost, component: Component = WEB, **about: object) -> Plan:
    return await ClearPort().plan(situation(component, "port_conflict", **about), host)  # type: ignore[arg-type]


async def test_a_foreign_service_is_stopped_a_program_ended_and_the_component_started() -> None:
    host = down()
    host.ports.squat(80, 4710, unit="other.service")
    host.ports.squat(80, 4711, unit="session-1.scope")
    found = await plan(host)
    steps = [step.as_record() for step in found.steps]
    assert [step.describe for step in steps] == example_steps("clear_port")
    assert [step.undo_describe for step in steps] == [
        "systemctl start other.service",
        "",
        "systemctl stop nginx.service",
    ]
    assert [holder["pid"] for holder in found.findings["holders"]] == [4710, 4711]


async def test_undoing_gives_the_port_back_to_the_service_that_had_it() -> None:
    host = down()
    host.ports.squat(80, unit="other.service")
    before = host.ports.picture()
    steps = [step.as_record() for step in (await plan(host)).steps]
    await ClearPort().execute(steps, host, NoJournal(), 120.0)
    assert host.units.by_name["nginx.service"].up and host.ports.picture() != before
    await ClearPort().rollback(steps, host, NoJournal(), 120.0)
    assert host.ports.picture() == before and not host.units.by_name["nginx.service"].up


async def test_a_service_with_many_processes_is_stopped_once() -> None:
    host = down()
    for pid in (10, 11, 12):
        host.ports.squat(80, pid, unit="other.service")
    assert [step.do.describe() for step in (await plan(host)).steps][:2] == [
        "systemctl stop other.service",
        "systemctl start nginx.service",
    ]


async def test_what_a_user_runs_is_ended_by_itself_and_not_with_all_that_the_user_runs() -> None:
    host = down()
    host.ports.squat(80, unit="user@1000.service")
    assert isinstance((await plan(host)).steps[0].do, KillProcess)


async def test_connections_that_nobody_holds_are_destroyed() -> None:
    host = down()
    host.ports.left_over[80] = 3
    steps = [step.as_record() for step in (await plan(host)).steps]
    assert "no process holds of port 80" in steps[0].describe and len(steps) == 2
    await ClearPort().execute(steps, host, NoJournal(), 120.0)
    assert host.ports.left_over == {}


async def test_a_command_is_started_again() -> None:
    host = FakeHost()
    shop(host).crash()
    host.ports.squat(80)
    assert [step.do.describe() for step in (await plan(host, SHOP)).steps][1:] == ["setsid /usr/bin/shop &"]


OTHER = Component(name="other", unit="alias.service")


@pytest.mark.parametrize(
    ("holder", "why"),
    [
        ({"pid": 1, "name": "systemd"}, "pid 1"),
        ({"name": "sshd", "unit": "session-3.scope"}, "sshd is never touched"),
        ({"unit": "ssh.service"}, "never touched"),
        ({"unit": "systemd-resolved.service"}, "never touched"),
        ({"name": "guardian-agent"}, "never touched"),
        ({"unit": "vip.service"}, "protected"),
        ({"unit": "other.service"}, "another component's"),
        ({"pid": os.getpid()}, "it is Guardian"),
    ],
)
async def test_whom_it_may_not_touch_it_does_not(holder: dict[str, object], why: str) -> None:
    host = down()
    host.units.aliases["alias.service"] = "other.service"
    host.ports.squat(80, 7, unit="harmless.service")
    host.ports.squat(80, **holder)  # type: ignore[arg-type]
    with pytest.raises(CannotPlanError, match=why):
        await plan(host, components=(WEB, OTHER), protected=frozenset({"vip.service"}))


async def test_a_listener_without_a_process_is_the_kernel_s() -> None:
    host = down()
    host.ports.ownerless[80] = ("0.0.0.0",)
    with pytest.raises(CannotPlanError, match="the kernel itself"):
        await plan(host)


async def test_who_listens_elsewhere_or_is_the_component_is_left_alone() -> None:
    host = FakeHost()
    nginx(host)
    host.ports.squat(80, address="127.0.0.53")
    here = msgspec.structs.replace(WEB, listen=Endpoint("10.0.0.5", 80))
    with pytest.raises(CannotPlanError, match="nobody but web"):
        await plan(host, here)


@pytest.mark.parametrize("component", [Component(name="bare"), Component(name="bare", listen=Endpoint("0.0.0.0", 80))])
async def test_without_a_port_or_a_way_to_start_there_is_no_plan(component: Component) -> None:
    host = down()
    host.ports.squat(80)
    with pytest.raises(CannotPlanError):
        await plan(host, component)


async def test_a_component_that_was_moved_is_left_where_it_is() -> None:
    host = down()
    host.known.moved["web"] = Endpoint("0.0.0.0", 20345)
    with pytest.raises(CannotPlanError, match="was moved"):
        await plan(host)


async def test_an_agent_takes_the_port_back() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, playbooks=LEAVE) as scene:
        unit.crash()
        host.ports.squat(80)
        await until(lambda: bool(scene.outcomes) and not scene.agent.incidents.open, within_s=60.0)
        assert scene.outcomes[-1] == ("clear_port", Outcome.HEALED) and unit.up


async def test_one_that_takes_the_port_again_at_once_is_no_success() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, playbooks=LEAVE) as scene:
        unit.crash()
        host.ports.squat(80)
        host.script(KillProcess, "lies", times=99)
        await until(lambda: "ladder_exhausted" in scene.pages, within_s=120.0)
        assert scene.outcomes[0] == ("clear_port", Outcome.ROLLED_BACK) and not unit.up
