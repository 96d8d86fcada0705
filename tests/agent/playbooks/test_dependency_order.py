import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import SHOP, WEB, nginx, shop
from tests.agent.playbooks.situations import situation

from guardian_agent.errors import CannotPlanError, ProbeError
from guardian_agent.model import Component, Endpoint
from guardian_agent.playbooks.auto_heal.restart_service import RestartService
from guardian_agent.playbooks.dependency_order import insist_on_dependencies
from guardian_agent.playbooks.network.restart_component import RestartComponent

DB = Component(name="db", unit="db.service", listen=Endpoint("0.0.0.0", 5432), depends_on=("disk",))
DISK = Component(name="disk", unit="disk.service")
BATCH = msgspec.structs.replace(SHOP, listen=None)
APP = msgspec.structs.replace(WEB, depends_on=("db", "shop", "tcp:10.0.0.5:5432"))
ALL = (APP, DB, DISK, BATCH)


def host_with_all() -> FakeHost:
    host = FakeHost()
    nginx(host)
    shop(host)
    host.unit("db.service", serves=DB.listen)
    host.unit("disk.service")
    return host


async def insist(host: FakeHost, component: Component = APP) -> None:
    await insist_on_dependencies(msgspec.structs.replace(situation(component), components=ALL), host)


async def test_where_all_that_it_depends_on_is_well_it_is_started() -> None:
    await insist(host_with_all())


@pytest.mark.parametrize(
    ("unit", "why"),
    [("db.service", "web depends on db, and db.service is failed"), ("disk.service", "and disk.service is failed")],
)
async def test_what_is_down_below_comes_first_however_deep(unit: str, why: str) -> None:
    host = host_with_all()
    host.units.by_name[unit].crash()
    with pytest.raises(CannotPlanError, match=why):
        await insist(host)
    await insist(host, DISK)  # it rests on nothing


async def test_a_dependency_that_does_not_listen_or_whose_command_ended_comes_first() -> None:
    host = host_with_all()
    host.units.by_name["db.service"].deaf = True
    with pytest.raises(CannotPlanError, match=r"nothing listens on tcp:0\.0\.0\.0:5432"):
        await insist(host)
    host = host_with_all()
    host.processes.by_name["shop"].crash()
    with pytest.raises(CannotPlanError, match="depends on shop, and it does not run"):
        await insist(host)


async def test_a_dependency_that_is_coming_up_is_not_waited_for() -> None:
    host = host_with_all()
    host.units.by_name["disk.service"].active_state = "activating"
    await insist(host)


async def test_where_the_machine_cannot_be_read_nothing_is_started() -> None:
    host = host_with_all()
    host.units.unreachable = "no bus"
    with pytest.raises(ProbeError):
        await insist(host)


async def test_restart_service_does_not_go_before_a_dependency_and_the_last_rung_does() -> None:
    host = host_with_all()
    host.units.by_name["db.service"].crash()
    asked = msgspec.structs.replace(situation(APP), components=ALL)
    with pytest.raises(CannotPlanError, match="that comes first"):
        await RestartService().plan(asked, host)
    assert (await RestartComponent().plan(asked, host)).steps
