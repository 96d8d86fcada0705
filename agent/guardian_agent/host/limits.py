"""What may a unit take of the machine, and what is it started with, by systemd's own account?"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from guardian_agent.host import ServiceSettings, UnitLimits
from guardian_agent.host.bus import MANAGER, MANAGER_PATH, SYSTEMD, unit_path
from guardian_agent.host.operations.limits import BOUNDS, drop_in

UNTIL_BOOT = ("/run/systemd/system.control/", "/run/systemd/transient/")

Property = Callable[[str, str, str, Any], Awaitable[Any]]  # path, interface, name, what holds where there is none


async def read_settings(ask: Property, unit: str) -> ServiceSettings:
    """What a service is started with. Raises BusError."""
    path, kind = unit_path(unit), f"{SYSTEMD}.Service"
    environment, starts = await asyncio.gather(ask(path, kind, "Environment", []), ask(path, kind, "ExecStart", []))
    return ServiceSettings(environment=tuple(environment), command=tuple(word for start in starts for word in start[1]))


async def read_limits(ask: Property, unit: str) -> UnitLimits:
    """In one round trip. Raises BusError."""
    path = unit_path(unit)
    kind = f"{SYSTEMD}.{unit.rpartition('.')[2].capitalize()}"
    files, default, *values = await asyncio.gather(
        ask(path, f"{SYSTEMD}.Unit", "DropInPaths", []),
        ask(MANAGER_PATH, MANAGER, "DefaultTasksMax", 0),
        *(ask(path, kind, name, None) for name in BOUNDS),
    )
    noted = {file.rpartition("/")[2] for file in files if file.startswith(UNTIL_BOOT)}
    return UnitLimits(
        values={name: value for name, value in zip(BOUNDS, values, strict=True) if value is not None},
        set_until_boot=frozenset(name for name in BOUNDS if drop_in(name) in noted),
        default_tasks_max=default,
    )
