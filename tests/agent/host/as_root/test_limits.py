"""Limits set and put back, over a bus of our own with a stand-in for systemd on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.agent.host.fake_systemd import Bus, FakeSystemd, fake_systemd

from guardian_agent.errors import OperationError, RefusedOperationError, UnknownResultError
from guardian_agent.host.as_root.limits import UnitLimits
from guardian_agent.host.operations import ResetUnitLimit, SetUnitLimit
from guardian_agent.host.operations.limits import NO_LIMIT

NO_SUCH_UNIT = ("org.freedesktop.systemd1.NoSuchUnit", "Unit batch.service not loaded.")


@pytest_asyncio.fixture
async def machine(tmp_path: Path) -> AsyncIterator[tuple[Bus, FakeSystemd, UnitLimits, Path]]:
    async with fake_systemd(tmp_path) as (bus, systemd):
        systemd.add("batch.service")
        control = tmp_path / "control"
        (control / "batch.service.d").mkdir(parents=True)
        yield bus, systemd, UnitLimits(bus.address, (control, tmp_path / "transient")), control / "batch.service.d"


def said(systemd: FakeSystemd) -> list[tuple[object, ...]]:
    return [call for call in systemd.calls if call[0] in ("SetUnitProperties", "Reload")]


async def test_a_limit_is_set_until_the_next_boot(machine):
    _, systemd, limits, _ = machine
    await limits.do(SetUnitLimit("batch.service", "CPUWeight", 10))
    ((_, unit, until_boot, ((name, value),)),) = said(systemd)
    assert (unit, until_boot, name, value.signature, value.value) == ("batch.service", True, "CPUWeight", "t", 10)


async def test_what_nobody_had_set_before_leaves_no_note_and_what_somebody_had_does(machine):
    _, systemd, limits, notes = machine
    (notes / "50-CPUWeight.conf").write_text("[Service]\nCPUWeight=10\n")
    await limits.do(ResetUnitLimit("batch.service", "CPUWeight", 10_000, was_set_before=True))
    assert (notes / "50-CPUWeight.conf").exists() and [call[0] for call in said(systemd)] == ["SetUnitProperties"]
    systemd.calls.clear()
    (notes / "50-TasksMax.conf").write_text("somebody's")
    await limits.do(ResetUnitLimit("batch.service", "CPUWeight", NO_LIMIT, was_set_before=False))
    assert [path.name for path in notes.iterdir()] == ["50-TasksMax.conf"]
    assert [call[0] for call in said(systemd)] == ["SetUnitProperties", "Reload"]
    (notes / "50-TasksMax.conf").unlink()
    await limits.do(ResetUnitLimit("batch.service", "CPUWeight", NO_LIMIT, was_set_before=False))  # once more is fine
    assert not notes.exists()


async def test_a_unit_that_is_gone_needs_nothing_back_and_can_be_given_nothing(machine):
    _, systemd, limits, _ = machine
    systemd.errors["GetUnit"] = NO_SUCH_UNIT
    await limits.do(ResetUnitLimit("batch.service", "CPUWeight", NO_LIMIT, was_set_before=False))
    with pytest.raises(OperationError, match="not loaded"):
        await limits.do(SetUnitLimit("batch.service", "CPUWeight", 10))


async def test_a_unit_by_another_name_is_refused(machine):
    _, systemd, limits, _ = machine
    systemd.aliases["alias.service"] = "batch.service"
    with pytest.raises(RefusedOperationError, match=r"its own name is batch\.service"):
        await limits.do(SetUnitLimit("alias.service", "CPUWeight", 10))
    assert said(systemd) == []


@pytest.mark.parametrize(
    "operation",
    [
        SetUnitLimit("batch.service", "ExecStart", 10),
        SetUnitLimit("system.slice", "CPUWeight", 10),
        SetUnitLimit("batch.service", "CPUWeight", 0),
        SetUnitLimit("batch.service", "TasksMax", 1),
        ResetUnitLimit("../batch.service", "CPUWeight", 10, was_set_before=False),
        ResetUnitLimit("batch.service", "CPUWeight", 1 << 64, was_set_before=False),
    ],
)
async def test_what_is_no_limit_of_a_service_is_refused(machine, operation):
    _, systemd, limits, _ = machine
    with pytest.raises(RefusedOperationError):
        await limits.do(operation)
    assert systemd.calls == []


async def test_without_a_bus_nobody_knows_whether_it_was_done(machine):
    bus, _, limits, _ = machine
    await bus.kill()
    with pytest.raises(UnknownResultError):
        await limits.do(SetUnitLimit("batch.service", "CPUWeight", 10))
