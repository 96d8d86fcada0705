from typing import get_args

import pytest
from tests.agent.host.fake_systemd import fake_systemd

from guardian_agent.errors import OperationError
from guardian_agent.host import Host
from guardian_agent.host.local import LocalHost
from guardian_agent.host.operations import (
    KillUnit,
    Operation,
    ResetFailedUnit,
    RestartUnit,
    RunProgram,
    StartCommand,
    StartUnit,
    StopCommand,
    StopUnit,
)

UNIT = "web.service"
OPERATIONS = [
    StartUnit(UNIT),
    StopUnit(UNIT),
    RestartUnit(UNIT),
    KillUnit(UNIT),
    ResetFailedUnit(UNIT),
    StartCommand("web", ("sleep", "600")),
    StopCommand("web", grace_s=0),
    RunProgram(("true",)),
]


def test_every_operation_is_tried_here():
    not_roots = {operation for operation in get_args(Operation) if not operation.needs_root}
    assert {type(operation) for operation in OPERATIONS} == not_roots


async def test_every_operation_is_carried_out(tmp_path):
    async with fake_systemd(tmp_path) as (bus, systemd), LocalHost(tmp_path, bus_address=bus.address) as local:
        host: Host = local
        systemd.add(UNIT)
        systemd.results[UNIT] = "done"
        for operation in OPERATIONS:
            await host.do(operation)
            if isinstance(operation, StartCommand):
                assert (await host.processes.command("web")).alive
        assert not (await host.processes.command("web")).alive
        asked = [call[0] for call in systemd.calls if call[0].endswith("Unit") and call[0] != "LoadUnit"]
        assert asked == ["StartUnit", "StopUnit", "RestartUnit", "KillUnit", "ResetFailedUnit"]
        assert host.clock.now().boot_id


async def test_what_cannot_be_read_fails_the_operation(tmp_path):
    register = tmp_path / "commands" / "web.json"
    register.parent.mkdir()
    register.write_text("no JSON")
    async with LocalHost(tmp_path) as host:
        with pytest.raises(OperationError, match=r"web\.json"):
            await host.do(StartCommand("web", ("true",)))


async def test_operations_without_a_bus_say_so(tmp_path):
    async with LocalHost(tmp_path, bus_address=f"unix:path={tmp_path}/none") as host:
        for operation in OPERATIONS[:5]:
            with pytest.raises(OperationError, match=rf"{UNIT}: no connection to the system bus"):
                await host.do(operation)
