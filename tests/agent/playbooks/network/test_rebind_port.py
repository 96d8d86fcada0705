from collections.abc import Mapping

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_workloads import FakeUnit
from tests.agent.healing.scene import SHOP, WEB, nginx, running, until
from tests.agent.playbooks.pages import example_steps
from tests.agent.playbooks.situations import situation
from tests.agent.playbooks.test_playbooks import NoJournal

from guardian_agent.config import PlaybookSettings
from guardian_agent.errors import CannotPlanError
from guardian_agent.host import Answer, ServiceSettings
from guardian_agent.model import Component, Endpoint, Outcome, Tier
from guardian_agent.playbooks.base import Plan
from guardian_agent.playbooks.network.rebind_port import RebindPort

LEAVE = {name: PlaybookSettings(tier=Tier.AUTOMATIC) for name in ("clear_port", "rebind_port")}
THE_SHOP = Component(name="shop", unit="shop.service", listen=Endpoint("0.0.0.0", 80))


def kept(*, up: bool = False) -> tuple[FakeHost, FakeUnit]:
    """A host whose port 80 a service holds that may not be touched."""
    host = FakeHost()
    unit = nginx(host)
    if not up:
        unit.go_down("failed", "exit-code")
    host.ports.squat(80, unit="keeper.service")
    return host, unit


def picture(host: FakeHost, unit: FakeUnit) -> list[object]:
    return [host.ports.picture(), dict(host.firewall.tables), unit.active_state, unit.serves]


async def plan(host: FakeHost, component: Component = WEB, **keys: object) -> Plan:
    return await RebindPort(**keys).plan(situation(component, "port_conflict"), host)  # type: ignore[arg-type]


async def test_it_plans_as_its_page_says() -> None:
    host, _ = kept()
    host.unit("shop.service", serves=THE_SHOP.listen, up=False)
    found = await plan(host, THE_SHOP)
    assert [step.do.describe() for step in found.steps] == example_steps("rebind_port")
    assert found.replacement is not None and found.replacement.host == "0.0.0.0"
    assert {"l4_listen", "l4_connect", "l7_http"} <= set(found.postconditions)


@pytest.mark.parametrize("up", [False, True])
async def test_undoing_leaves_the_unit_as_it_was(up: bool) -> None:
    host, unit = kept(up=up)
    before = picture(host, unit)
    found = await plan(host)
    steps = [step.as_record() for step in found.steps]
    await RebindPort().execute(steps, host, NoJournal(), 120.0)
    assert unit.up and unit.serves == found.replacement and list(host.firewall.tables) == ["inet guardian_rebind_web"]
    host.ports.holders[80].clear()  # else the fake unit could not start where it was
    await RebindPort().rollback(steps, host, NoJournal(), 120.0)
    host.ports.squat(80, unit="keeper.service")
    after = picture(host, unit)
    assert after == before if up else after[:2] == before[:2] and not unit.up


@pytest.mark.parametrize(
    "settings",
    [
        ServiceSettings(environment=("PORT=80",)),
        ServiceSettings(command=("/bin/shop", "--port", "${PORT}")),
        ServiceSettings(command=("/bin/shop", "--listen=:$PORT")),
    ],
)
async def test_a_unit_may_take_its_port_in_several_ways(settings: ServiceSettings) -> None:
    host, _ = kept()
    host.units.settings_of["nginx.service"] = settings
    assert (await plan(host)).steps


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (ServiceSettings(), "neither its Environment= nor its ExecStart= names PORT"),
        (ServiceSettings(command=("/bin/shop", "$PORTS", "PORT")), "neither"),
        (ServiceSettings(environment=("PORT=81",)), "PORT=81, which is not its port"),
        (ServiceSettings(environment=("PORT=80", "PORT=81")), "PORT=81"),
    ],
)
async def test_a_unit_that_would_not_follow_is_refused(settings: ServiceSettings, why: str) -> None:
    host, _ = kept()
    host.units.settings_of["nginx.service"] = settings
    with pytest.raises(CannotPlanError, match=why):
        await plan(host)


@pytest.mark.parametrize(
    ("component", "why"),
    [
        (SHOP, "no unit"),
        (Component(name="web", unit="nginx.service"), "declares no port"),
        (msgspec.structs.replace(WEB, unit="gone.service"), "not-found"),
        (msgspec.structs.replace(WEB, listen=Endpoint("web.example", 80)), "listens on a name"),
    ],
)
async def test_what_cannot_be_moved_is_refused(component: Component, why: str) -> None:
    host, _ = kept()
    with pytest.raises(CannotPlanError, match=why):
        await plan(host, component)


async def test_it_takes_the_one_port_that_is_free_and_none_when_none_is() -> None:
    host, _ = kept()
    host.ports.squat(20000)
    found = await plan(host, ports=(20000, 20001))
    assert found.replacement == Endpoint("0.0.0.0", 20001)
    host.ports.squat(20001)
    with pytest.raises(CannotPlanError, match="no free port"):
        await plan(host, ports=(20000, 20001))


async def test_what_was_moved_is_not_moved_again() -> None:
    host, _ = kept()
    host.known.moved["web"] = Endpoint("0.0.0.0", 20345)
    with pytest.raises(CannotPlanError, match="moved already"):
        await plan(host)


async def test_an_agent_moves_what_it_may_not_clear_and_knows_it_after_its_own_restart() -> None:
    host = FakeHost()
    unit = nginx(host)
    host.files.put("/run/systemd/system/nginx.service.d/50-guardian-rebind.conf")
    settings: Mapping[str, object] = {"playbooks": LEAVE, "protected": ["keeper.service"]}
    async with running(host, WEB, **settings) as scene:  # type: ignore[arg-type]
        unit.crash()
        host.ports.squat(80, unit="keeper.service")
        await until(lambda: bool(scene.outcomes) and not scene.agent.incidents.open, within_s=60.0)
        assert scene.outcomes == [("rebind_port", Outcome.HEALED)]
        state = scene.state
        (execution,) = scene.remedies
        assert execution.evidence["replacement"] == str(unit.serves)
        assert (await scene.agent.status())["moved"] == {"web": str(unit.serves)}
    host.known.moved.clear()
    async with running(host, WEB, settled=False, state=state, **settings) as scene:
        assert host.known.moved == {"web": unit.serves}
        await until(lambda: all(watch.last_look for watch in scene.agent.incidents.scheduler.watches.values()))
        assert scene.agent.incidents.open == {}


async def test_when_no_client_is_served_on_the_old_port_all_is_undone() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, playbooks=LEAVE, protected=["keeper.service"]) as scene:
        unit.crash()
        host.ports.squat(80, unit="keeper.service")
        host.sockets.answers["http://127.0.0.1/"] = Answer(connected=True, status=404)
        await until(lambda: "ladder_exhausted" in scene.pages, within_s=300.0)
        assert scene.outcomes[0] == ("rebind_port", Outcome.INEFFECTIVE)
        assert host.known.moved == {} and host.firewall.tables == {} and host.ports.drop_ins == {}
