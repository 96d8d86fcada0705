"""The systemd of a fake host: a dictionary of units."""

import asyncio
from typing import Self

from tests.agent.fake_resources import FakeShares
from tests.agent.fake_workloads import FakeUnit

from guardian_agent.errors import ProbeError
from guardian_agent.host import ProcessState, ServiceSettings, UnitEvent, UnitLimits, UnitState


class FakeEvents:
    """Events of watched units, from its making on."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[UnitEvent | None] = asyncio.Queue()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> UnitEvent:
        if (event := await self.queue.get()) is None:
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        self.queue.put_nowait(None)


def _process(pid: int, frozen: bool) -> ProcessState:
    return ProcessState(pid=pid, start_ticks=pid, alive=True, status="T" if frozen else "S", session=pid)


class FakeUnits:
    """The dictionary of units; `unreachable` is why systemd cannot be asked."""

    def __init__(self) -> None:
        self.by_name: dict[str, FakeUnit] = {}
        self.aliases: dict[str, str] = {}
        self.unreachable = ""
        self.groups_below: dict[str, set[int]] = {}  # by control group
        self.needed: dict[str, tuple[str, ...]] = {}  # Requires= and the like, by unit
        self.triggered: dict[str, tuple[str, ...]] = {}  # Triggers= of sockets and timers
        self.settings_of: dict[str, ServiceSettings] = {}
        self.shares = FakeShares()
        self._watched: set[str] = set()
        self._listeners: list[FakeEvents] = []

    async def state(self, unit: str) -> UnitState:
        if self.unreachable:
            raise ProbeError(self.unreachable)
        if unit not in self.by_name:
            return UnitState(unit=unit, load_state="not-found", active_state="inactive", sub_state="dead")
        return self.by_name[unit].state()

    async def control_group(self, unit: str) -> str:
        return (await self.state(unit)).control_group

    async def cgroup_ids_below(self, control_group: str) -> set[int]:
        return self.groups_below.get(control_group, set())

    async def processes(self, control_group: str) -> list[ProcessState]:
        found = [unit for unit in self.by_name.values() if unit.control_group == control_group != ""]
        return [_process(unit.number, unit.frozen) for unit in found]

    async def failed(self) -> list[str]:
        if self.unreachable:
            raise ProbeError(self.unreachable)
        return sorted(name for name, unit in self.by_name.items() if unit.active_state == "failed")

    async def needs(self, unit: str) -> tuple[str, ...]:
        return self.needed.get(unit, ())

    async def triggers(self, unit: str) -> tuple[str, ...]:
        return self.triggered.get(unit, ())

    async def settings(self, unit: str) -> ServiceSettings:
        if self.unreachable:
            raise ProbeError(self.unreachable)
        return self.settings_of.get(unit, ServiceSettings(environment=("PORT=80",)))

    async def limits(self, unit: str) -> UnitLimits:
        await self.state(unit)
        return self.shares.of(unit)

    async def own_name(self, unit: str) -> str:
        if self.unreachable:
            raise ProbeError(self.unreachable)
        return self.aliases.get(unit, unit)

    def events(self) -> FakeEvents:
        self._listeners.append(FakeEvents())
        return self._listeners[-1]

    def watch(self, unit: str) -> None:
        self._watched.add(unit)

    async def cgroup_id(self, control_group: str) -> int | None:
        if control_group == "/init.scope":
            return 1
        return next((unit.number for unit in self.by_name.values() if unit.control_group == control_group != ""), None)

    def emit(self, event: UnitEvent) -> None:
        if event.unit in self._watched:
            for listener in self._listeners:
                listener.queue.put_nowait(event)

    def reconnect(self) -> None:
        """The bus was lost and is back: what happened between is not told, only that something may have."""
        for unit in sorted(self._watched):
            self.emit(UnitEvent(unit=unit, kind="changed", missed=True))
