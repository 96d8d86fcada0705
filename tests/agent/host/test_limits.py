from typing import Any

from guardian_agent.host.limits import read_limits
from guardian_agent.host.operations.limits import NO_LIMIT


async def test_the_limits_are_told_with_who_set_them() -> None:
    said = {
        "DropInPaths": [
            "/etc/systemd/system/web.service.d/50-IOWeight.conf",
            "/run/systemd/system.control/web.service.d/50-TasksMax.conf",
            "/run/systemd/transient/web.service.d/50-CPUWeight.conf",
        ],
        "DefaultTasksMax": 4915,
        "TasksMax": 2,
        "CPUWeight": NO_LIMIT,
        "IOWeight": 20,
    }
    asked = []

    async def ask(path: str, interface: str, name: str, without: Any) -> Any:
        asked.append((path.rpartition("/")[2], interface.rpartition(".")[2]))
        return said.get(name, without)

    limits = await read_limits(ask, "web.service")
    assert limits.values == {"TasksMax": 2, "CPUWeight": NO_LIMIT, "IOWeight": 20}
    assert limits.set_until_boot == {"TasksMax", "CPUWeight"} and limits.default_tasks_max == 4915
    assert set(asked) == {("web_2eservice", "Unit"), ("web_2eservice", "Service"), ("systemd1", "Manager")}
