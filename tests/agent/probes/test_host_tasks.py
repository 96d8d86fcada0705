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
async def test_a_unit_at_its_limit_is_exhausted(current: int, limit: int | None, issue_type: str) -> None:
    host = FakeHost()
    host.kernel.running[nginx(host).control_group] = Tasks(current=current, limit=limit, refused=5)
    assert await sees(HostTasks, host) == issue_type
    assert (await look(HostTasks, host)).evidence["refused"] == 5


async def test_a_unit_that_is_down_or_not_counted_is_good() -> None:
    host = FakeHost()
    unit = nginx(host)
    assert await sees(HostTasks, host) == ""
    unit.go_down()
    assert await sees(HostTasks, host) == ""
