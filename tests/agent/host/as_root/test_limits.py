"""Limits set and put back, over a bus of our own with a stand-in for systemd on it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from dbus_fast import Variant
from tests.agent.host.fake_systemd import Bus, FakeSystemd, fake_systemd

from guardian_agent.errors import OperationError, RefusedOperationError, UnknownResultError
from guardian_agent.host.as_root.before import Memory
from guardian_agent.host.as_root.limits import UnitLimits
from guardian_agent.host.operations import ResetUnitLimit, SetUnitLimit
from guardian_agent.host.operations.limits import NO_LIMIT

NO_SUCH_UNIT = ("org.freedesktop.systemd1.NoSuchUnit", "Unit batch.service not loaded.")
UNIT = "batch.service"


@pytest_asyncio.fixture
async def machine(tmp_path: Path) -> AsyncIterator[tuple[Bus, FakeSystemd, UnitLimits, Path]]:
    async with fake_systemd(tmp_path) as (bus, systemd):
        share(systemd, CPUWeight=NO_LIMIT, TasksMax=100)
        control = tmp_path / "control"
        (control / "batch.service.d").mkdir(parents=True)
        folders = (control, tmp_path / "transient")
        limits = UnitLimits(bus.address, folders, Memory(str(tmp_path / "before")))
        yield bus, systemd, limits, control / "batch.service.d"


def share(systemd: FakeSystemd, *set_before: str, **values: int) -> None:
    """What the unit may take, and what of it somebody has set until the next boot."""
    files = [f"/run/systemd/system.control/{UNIT}.d/50-{name}.conf" for name in set_before]
    shares = {name: Variant("t", value) for name, value in values.items()}
    systemd.add(UNIT, DropInPaths=Variant("as", files), **shares)


def said(systemd: FakeSystemd) -> list[tuple[object, ...]]:
    return [call for call in systemd.calls if call[0] in ("SetUnitProperties", "Reload")]


def told(systemd: FakeSystemd) -> list[tuple[str, int]]:
    """The values that were set, in their order."""
    calls: list[Any] = [call for call in systemd.calls if call[0] == "SetUnitProperties"]
    return [(name, value.value) for _, _, _, ((name, value),) in calls]


async def test_a_limit_is_set_until_the_next_boot(machine):
    _, systemd, limits, _ = machine
    await limits.do(SetUnitLimit(UNIT, "CPUWeight", 10))
    ((_, unit, until_boot, ((name, value),)),) = said(systemd)
    assert (unit, until_boot, name, value.signature, value.value) == (UNIT, True, "CPUWeight", "t", 10)


@pytest.mark.parametrize("operation", [SetUnitLimit(UNIT, "CPUWeight", 60), SetUnitLimit(UNIT, "TasksMax", 99)])
async def test_nobody_is_given_a_greater_share_or_fewer_tasks(machine, operation):
    _, systemd, limits, _ = machine
    share(systemd, CPUWeight=50, TasksMax=100)
    with pytest.raises(RefusedOperationError, match="and never"):
        await limits.do(operation)
    with pytest.raises(RefusedOperationError, match="no such property"):
        await limits.do(SetUnitLimit(UNIT, "IOWeight", 10))
    assert said(systemd) == []


async def test_it_goes_back_to_what_root_saw_and_what_nobody_had_set_leaves_no_note(machine):
    _, systemd, limits, notes = machine
    (notes / "50-TasksMax.conf").write_text("somebody's")
    await limits.do(SetUnitLimit(UNIT, "CPUWeight", 10))
    (notes / "50-CPUWeight.conf").write_text("[Service]\nCPUWeight=10\n")
    share(systemd, "CPUWeight", "TasksMax", CPUWeight=10, TasksMax=100)
    await limits.do(SetUnitLimit(UNIT, "CPUWeight", 10))  # once more, and what was before is still known
    systemd.calls.clear()
    await limits.do(ResetUnitLimit(UNIT, "CPUWeight"))
    assert told(systemd) == [("CPUWeight", NO_LIMIT)] and said(systemd)[-1][0] == "Reload"
    assert [path.name for path in notes.iterdir()] == ["50-TasksMax.conf"]
    systemd.calls.clear()
    await limits.do(ResetUnitLimit(UNIT, "CPUWeight"))  # once more is fine
    assert said(systemd) == []


async def test_what_somebody_had_set_before_keeps_its_note(machine):
    _, systemd, limits, notes = machine
    share(systemd, "CPUWeight", CPUWeight=50)
    (notes / "50-CPUWeight.conf").write_text("somebody's")
    await limits.do(SetUnitLimit(UNIT, "CPUWeight", 10))
    share(systemd, "CPUWeight", CPUWeight=10)
    await limits.do(ResetUnitLimit(UNIT, "CPUWeight"))
    assert told(systemd) == [("CPUWeight", 10), ("CPUWeight", 50)]
    assert (notes / "50-CPUWeight.conf").exists() and "Reload" not in [call[0] for call in said(systemd)]


async def test_what_root_has_not_set_or_somebody_has_set_since_is_left(machine):
    _, systemd, limits, notes = machine
    (notes / "50-CPUWeight.conf").write_text("somebody's")
    await limits.do(ResetUnitLimit(UNIT, "CPUWeight"))
    assert said(systemd) == []
    await limits.do(SetUnitLimit(UNIT, "CPUWeight", 10))
    share(systemd, "CPUWeight", CPUWeight=70)
    systemd.calls.clear()
    await limits.do(ResetUnitLimit(UNIT, "CPUWeight"))
    assert said(systemd) == [] and (notes / "50-CPUWeight.conf").exists()


async def test_a_way_back_that_was_cut_short_is_gone_once_more(machine):
    _, systemd, limits, notes = machine
    await limits.do(SetUnitLimit(UNIT, "CPUWeight", 10))
    (notes / "50-CPUWeight.conf").write_text("[Service]\nCPUWeight=\n")  # told, and the note not yet removed
    share(systemd, "CPUWeight", CPUWeight=NO_LIMIT)
    await limits.do(ResetUnitLimit(UNIT, "CPUWeight"))
    assert not notes.exists()


async def test_a_unit_that_is_gone_needs_nothing_back_and_can_be_given_nothing(machine):
    _, systemd, limits, notes = machine
    await limits.do(SetUnitLimit(UNIT, "CPUWeight", 10))
    (notes / "50-CPUWeight.conf").write_text("[Service]\nCPUWeight=10\n")
    systemd.errors["GetUnit"] = NO_SUCH_UNIT
    await limits.do(ResetUnitLimit(UNIT, "CPUWeight"))
    assert not notes.exists()
    with pytest.raises(OperationError, match="not loaded"):
        await limits.do(SetUnitLimit(UNIT, "CPUWeight", 10))


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
        ResetUnitLimit("../batch.service", "CPUWeight"),
        ResetUnitLimit("batch.service", "ExecStart"),
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
