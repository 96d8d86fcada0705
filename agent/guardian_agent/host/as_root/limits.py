"""How does a unit get more or less of the machine?"""

import asyncio
import contextlib
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from guardian_agent.errors import OperationError, RefusedOperationError, UnknownResultError
from guardian_agent.host import UnitLimits as Limits
from guardian_agent.host.as_root.before import Memory, Was
from guardian_agent.host.as_root.below import opened_folder
from guardian_agent.host.bus import SYSTEMD, BusError, SystemBus, unit_at
from guardian_agent.host.limits import read_limits
from guardian_agent.host.operations import ResetUnitLimit, SetUnitLimit
from guardian_agent.host.operations.limits import BOUNDS, LOWERED, NO_LIMIT, drop_in, is_unit

if TYPE_CHECKING:
    from dbus_fast import Message

LIMIT_S = 30.0
NO_SUCH_UNIT = f"{SYSTEMD}.NoSuchUnit"
# Where systemd keeps what was set until the next boot; of transient units beside the unit itself.
CONTROL, TRANSIENT = Path("/run/systemd/system.control"), Path("/run/systemd/transient")


class UnitLimits:
    """Sets properties by D-Bus, over a connection of its own for each: it happens once in a long while."""

    def __init__(
        self,
        bus_address: str | None = None,
        folders: tuple[Path, ...] = (CONTROL, TRANSIENT),
        memory: Memory | None = None,
    ) -> None:
        self._bus_address = bus_address
        self._folders = folders
        self._memory = memory or Memory()

    async def do(self, operation: SetUnitLimit | ResetUnitLimit) -> None:
        """Raises OperationError."""
        shown = operation.describe()
        _check(operation)
        bus = SystemBus(self._bus_address, _nothing, lambda: None)
        try:
            async with asyncio.timeout(LIMIT_S):
                await self._do(bus, operation)
        except TimeoutError as error:
            raise UnknownResultError(f"{shown}: systemd did not say within {LIMIT_S:g} s that it is done") from error
        except BusError as error:
            if not error.name:
                raise UnknownResultError(f"{shown}: {error}") from error
            raise OperationError(f"{shown}: {error}") from error
        except OSError as error:
            raise OperationError(f"{shown}: {error.strerror or error}") from error
        finally:
            await bus.close()

    async def _do(self, bus: SystemBus, operation: SetUnitLimit | ResetUnitLimit) -> None:
        if isinstance(operation, SetUnitLimit):
            await self._set(bus, operation)
        elif was := self._memory.of(_thing(operation)):
            await self._put_back(bus, operation, was)
            self._memory.forget(was.what)

    async def _set(self, bus: SystemBus, operation: SetUnitLimit) -> None:
        now, set_before = await self._now(bus, operation)
        there = "not set" if now == NO_LIMIT else now
        if operation.name in LOWERED and operation.value > now:
            raise RefusedOperationError(f"{operation.describe()}: it is {there}, and never raised")
        if operation.name not in LOWERED and operation.value < now:
            raise RefusedOperationError(f"{operation.describe()}: it is {there}, and never lowered")
        was = Was(what=_thing(operation), before=str(now), now=str(operation.value), set_before=set_before)
        self._memory.note(was)
        await _tell(bus, operation, operation.value)

    async def _put_back(self, bus: SystemBus, operation: ResetUnitLimit, was: Was) -> None:
        try:
            now, _ = await self._now(bus, operation)
        except BusError as error:
            if error.name != NO_SUCH_UNIT:
                raise
        else:
            if str(now) not in (was.now, was.before):  # somebody has set it since
                return
            await _tell(bus, operation, int(was.before))
        if not was.set_before and self._forget(operation):
            await bus.call("Reload")

    async def _now(self, bus: SystemBus, operation: SetUnitLimit | ResetUnitLimit) -> tuple[int, bool]:
        """The property's value, and whether somebody has set it until the next boot."""
        # By another of its names, a unit could be reached that may not be.
        own_name = unit_at((await bus.call("GetUnit", "s", operation.unit))[0])
        if own_name != operation.unit:
            raise RefusedOperationError(f"{operation.describe()}: its own name is {own_name}")
        limits: Limits = await read_limits(bus.property, operation.unit)
        if operation.name not in limits.values:
            raise RefusedOperationError(f"{operation.describe()}: systemd has no such property of it")
        return limits.values[operation.name], operation.name in limits.set_until_boot

    def _forget(self, operation: ResetUnitLimit) -> bool:
        """Whether there was a note of systemd's, which is gone now."""
        gone = False
        for folder in self._folders:
            with contextlib.suppress(FileNotFoundError), opened_folder(f"{folder}/{operation.unit}.d") as notes:
                os.unlink(drop_in(operation.name), dir_fd=notes)
                gone = True
            try:
                Path(f"{folder}/{operation.unit}.d").rmdir()
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
                    raise
        return gone


async def _tell(bus: SystemBus, operation: SetUnitLimit | ResetUnitLimit, value: int) -> None:
    from dbus_fast import Variant

    values = [[operation.name, Variant("t", value)]]
    await bus.call("SetUnitProperties", "sba(sv)", operation.unit, True, values)


def _thing(operation: SetUnitLimit | ResetUnitLimit) -> str:
    return f"{operation.name} of {operation.unit}"


def _check(operation: SetUnitLimit | ResetUnitLimit) -> None:
    shown = operation.describe()
    if operation.name not in BOUNDS or not is_unit(operation.unit):
        raise RefusedOperationError(f"{shown}: not one of {', '.join(BOUNDS)} of a service or scope")
    least, most = BOUNDS[operation.name]
    if isinstance(operation, SetUnitLimit) and not least <= operation.value <= most:
        raise RefusedOperationError(f"{shown}: not between {least} and {most}")


def _nothing(_: "Message") -> None:
    pass
