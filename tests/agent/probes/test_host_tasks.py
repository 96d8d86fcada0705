import asyncio

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import nginx
from tests.agent.probes.asking import look, sees

from guardian_agent.host import Tasks
from guardian_agent.probes.host_tasks import HostTasks


@pytest.mark.parametrize(
    ("current", "limit", "issue_type"),
    [(1, 2, ""), (2, 2, "tasks_exhausted"), (9, 2, "tasks_exhausted"), (9999, None, "")],
)
async def test_a_unit_that_is_refused_more_at_its_limit_is_exhausted(
    current: int, limit: int | None, issue_type: str
) -> None:
    host = FakeHost()
    group = nginx(host).control_group
    host.kernel.running[group] = Tasks(current=current, limit=limit, refused=4)
    assert await sees(HostTasks, host) == "", "what was refused long ago is not known"
    await asyncio.sleep(5.0)
    host.kernel.running[group] = Tasks(current=current, limit=limit, refused=5)
    for _ in range(4):
        assert await sees(HostTasks, host) == issue_type
        await asyncio.sleep(5.0)
    assert (await look(HostTasks, host)).evidence["refused"] == 5


async def test_a_unit_that_fills_its_limit_and_is_refused_nothing_is_well() -> None:
    host = FakeHost()
    host.kernel.running[nginx(host).control_group] = Tasks(current=2, limit=2, refused=7)
    for _ in range(20):
        assert await sees(HostTasks, host) == ""
        await asyncio.sleep(5.0)


async def test_a_unit_that_is_down_or_not_counted_is_good() -> None:
    host = FakeHost()
    unit = nginx(host)
    assert await sees(HostTasks, host) == ""
    unit.go_down()
    assert await sees(HostTasks, host) == ""
