import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import SHOP, nginx, shop
from tests.agent.probes.asking import PORT, look, sees

from guardian_agent.host import Listener
from guardian_agent.model import Endpoint
from guardian_agent.probes.l4_listen import L4Listen


def stranger(cgroup_id: int | None, inode: int = 4711) -> Listener:
    return Listener(endpoint=PORT, uid=1000, inode=inode, cgroup_id=cgroup_id)


async def test_where_nobody_listens_the_port_is_not_listening() -> None:
    host = FakeHost()
    unit = nginx(host)
    assert await sees(L4Listen, host) == ""
    unit.deaf = True
    assert await sees(L4Listen, host) == "port_not_listening"


async def test_a_listener_of_another_control_group_is_a_conflict() -> None:
    host = FakeHost()
    unit = nginx(host)
    host.sockets.strangers[80] = stranger(cgroup_id=4711)
    assert await sees(L4Listen, host) == "port_conflict"
    unit.go_down()
    reading = await look(L4Listen, host)
    assert reading.issue_type == "port_conflict" and "not that of nginx.service" in reading.evidence["owner"]


@pytest.mark.parametrize(("cgroup_id", "whose"), [(1, "systemd's own, for a socket unit"), (None, "not told")])
async def test_a_listener_that_is_taken_for_the_components_own(cgroup_id: int | None, whose: str) -> None:
    host = FakeHost()
    nginx(host)
    host.sockets.strangers[80] = stranger(cgroup_id)
    assert await sees(L4Listen, host) == "", whose


async def test_a_commands_port_held_by_a_process_of_another_session_is_a_conflict() -> None:
    host = FakeHost()
    command = shop(host)
    assert await sees(L4Listen, host, SHOP) == ""
    host.sockets.strangers[80] = stranger(None, inode=command.number + 1)
    reading = await look(L4Listen, host, SHOP)
    assert reading.issue_type == "port_conflict"
    assert reading.evidence["owner"] == f"process {command.number + 1}, not of shop"


async def test_a_listener_in_a_group_below_that_of_the_unit_is_the_units_own() -> None:
    host = FakeHost()
    unit = nginx(host)
    host.sockets.strangers[80] = stranger(cgroup_id=4711)
    host.units.groups_below[unit.control_group] = {4710, 4711}
    assert await sees(L4Listen, host) == ""


async def test_a_component_that_was_moved_is_looked_for_where_it_is() -> None:
    host = FakeHost()
    unit = nginx(host)
    host.sockets.strangers[80] = stranger(cgroup_id=4711)
    host.known.moved["web"] = unit.serves = Endpoint("0.0.0.0", 20001)
    reading = await look(L4Listen, host)
    assert reading.ok and reading.evidence["endpoint"] == "tcp:0.0.0.0:20001"
    unit.go_down()
    assert await sees(L4Listen, host) == "port_not_listening"
