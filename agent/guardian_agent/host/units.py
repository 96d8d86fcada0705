"""systemd units over D-Bus: their state, and the jobs that change them (org.freedesktop.systemd1(5))."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from guardian_agent.errors import OperationError, ProbeError, RefusedOperationError, UnknownResultError
from guardian_agent.host import ProcessState, ServiceSettings, UnitLimits, UnitState
from guardian_agent.host.bus import DAEMON, SYSTEMD, BusError, unit_at, unit_path
from guardian_agent.host.groups import cgroup2_folder, ids_below, processes_of
from guardian_agent.host.jobs import UnitEvents
from guardian_agent.host.limits import read_limits, read_settings
from guardian_agent.host.operations import KillUnit, ReloadUnit, ResetFailedUnit, RestartUnit, StartUnit, StopUnit
from guardian_agent.host.unit_signals import UnitSignals

READ_LIMIT_S = 5.0
ENDING_POLL_S = 0.05  # how often it is looked whether a process that was sent a signal is gone
CALL_LIMIT_S = 10.0  # polkit is asked meanwhile
RELOAD_LIMIT_S = 60.0  # generators run meanwhile
MOST_GROUPS = 1000
DOWN = ("inactive", "failed")
UnitJob = StartUnit | StopUnit | RestartUnit | ReloadUnit
NEEDS = ("Requires", "BindsTo", "PartOf")
NO_SUCH_UNIT = f"{SYSTEMD}.NoSuchUnit"
NO_SUCH_PROCESS = f"{SYSTEMD}.NoSuchProcess"
DENIED = {f"{DAEMON}.Error.AccessDenied", f"{DAEMON}.Error.InteractiveAuthorizationRequired"}
# Nobody answered: there is no bus, or systemd went away from it.
UNREACHABLE = {
    "",
    *(f"{DAEMON}.Error.{what}" for what in ("NoReply", "Disconnected", "ServiceUnknown", "NameHasNoOwner")),
}


class LocalUnits:
    """One connection to the bus for all of it, made when it is first needed."""

    def __init__(self, bus_address: str | None = None) -> None:
        self._signals = UnitSignals(bus_address)
        self._bus = self._signals.bus
        self._cgroups: Path | None = None
        self._control_groups: dict[str, str] = {}

    async def close(self) -> None:
        """Ends the events and the connection."""
        await self._signals.close()

    def events(self) -> UnitEvents:
        """Events of the watched units from now on, until the iterator is closed; reconnects to the bus by itself.

        Whenever some may have been missed (connected anew, systemd reloaded, a unit newly watched), one
        "changed" event for each such unit is made up.
        """
        return self._signals.events()

    def watch(self, unit: str) -> None:
        """From now on `events` tells of this unit."""
        self._signals.watch(unit)

    async def state(self, unit: str) -> UnitState:
        """The unit as it is now, in one round trip; `load_state` "not-found" where there is none. Raises ProbeError."""
        kind = f"{SYSTEMD}.{unit.rpartition('.')[2].capitalize()}"
        path = unit_path(unit)
        async with self._telling(unit):
            rows, result, control_group, restarts, active_since_us = await asyncio.gather(
                self._bus.call("ListUnitsByNames", "as", [unit]),
                self._bus.property(path, kind, "Result", ""),
                self._bus.property(path, kind, "ControlGroup", ""),
                self._bus.property(path, kind, "NRestarts", 0),
                self._bus.property(path, f"{SYSTEMD}.Unit", "ActiveEnterTimestampMonotonic", 0),
            )
        if not rows[0]:
            raise ProbeError(f"{unit}: not a unit's name")
        _, _, load_state, active_state, sub_state, _, _, job_id, job_type, _ = rows[0][0]
        return UnitState(
            unit=unit,
            load_state=load_state,
            active_state=active_state,
            sub_state=sub_state,
            result=result,
            job_id=job_id,
            job_type=job_type if job_id else "",
            control_group=control_group,
            restarts=restarts,
            active_since_s=active_since_us / 1e6,
        )

    async def control_group(self, unit: str) -> str:
        """The unit's control group while it has one, else empty. Where it was found once it is looked for first, since
        a unit's does not change while there is one. Raises ProbeError."""
        known = self._control_groups.get(unit, "")
        if known and await self.cgroup_id(known) is not None:
            return known
        found = self._control_groups[unit] = (await self.state(unit)).control_group
        return found

    async def failed(self) -> list[str]:
        """The units that systemd holds for failed, by name. Raises ProbeError."""
        async with self._telling("failed units"):
            (rows,) = await self._bus.call("ListUnitsFiltered", "as", ["failed"])
        return sorted(row[0] for row in rows)

    async def needs(self, unit: str) -> tuple[str, ...]:
        """The units that systemd stops this one with (Requires=, BindsTo=, PartOf=). Raises ProbeError."""
        path = unit_path(unit)
        async with self._telling(unit):
            found = await asyncio.gather(*(self._bus.property(path, f"{SYSTEMD}.Unit", name, []) for name in NEEDS))
        return tuple(name for names in found for name in names)

    async def triggers(self, unit: str) -> tuple[str, ...]:
        """The units that this one (a socket, a timer) starts when something comes. Raises ProbeError."""
        async with self._telling(unit):
            return tuple(await self._bus.property(unit_path(unit), f"{SYSTEMD}.Unit", "Triggers", []))

    async def settings(self, unit: str) -> ServiceSettings:
        """What a service is started with; nothing for a unit of another type. Raises ProbeError."""
        async with self._telling(unit):
            return await read_settings(self._bus.property, unit)

    async def limits(self, unit: str) -> UnitLimits:
        """What a unit may take of the machine. Raises ProbeError."""
        async with self._telling(unit):
            return await read_limits(self._bus.property, unit)

    async def own_name(self, unit: str) -> str:
        """systemd's own name of a unit, which an alias is not; a name that no unit has stays. Raises ProbeError."""
        async with self._telling(unit):
            try:
                return unit_at((await self._bus.call("LoadUnit", "s", unit))[0])
            except BusError as error:
                if error.name in UNREACHABLE | DENIED:
                    raise
        return unit

    async def cgroup_id(self, control_group: str) -> int | None:
        """The kernel's id of a unit's control group (inode of its cgroup v2 folder); None when there is none."""
        if not control_group:
            return None
        if self._cgroups is None:
            self._cgroups = cgroup2_folder()
        try:
            return os.stat(f"{self._cgroups}{control_group}").st_ino  # noqa: PTH116 - in memory: nothing blocks
        except FileNotFoundError:
            return None

    async def cgroup_ids_below(self, control_group: str) -> set[int]:
        """The ids of the groups below a unit's own (Delegate=), of `MOST_GROUPS` of them at most."""
        if await self.cgroup_id(control_group) is None:
            return set()
        return ids_below(f"{self._cgroups}{control_group}", MOST_GROUPS)

    async def processes(self, control_group: str) -> list[ProcessState]:
        """The processes of a unit's control group and of those below it, of `MOST_GROUPS` groups at most."""
        if await self.cgroup_id(control_group) is None:
            return []
        return await asyncio.to_thread(processes_of, f"{self._cgroups}{control_group}", MOST_GROUPS)

    async def start(self, operation: StartUnit) -> None:
        """Starts a unit; returns when the job is done. Raises OperationError."""
        await self._change("StartUnit", operation)

    async def stop(self, operation: StopUnit) -> None:
        """Stops a unit and nothing that requires it; returns when the job is done. Raises OperationError.

        One that is down is left as it is: even a stop of nothing would take down with it what requires it.
        """
        state = await self.state(operation.unit)
        if state.active_state not in DOWN or state.job_id:
            await self._change("StopUnit", operation, fine=NO_SUCH_UNIT, mode="ignore-requirements")

    async def restart(self, operation: RestartUnit) -> None:
        """Restarts a unit; returns when the job is done. Raises OperationError."""
        await self._change("RestartUnit", operation)

    async def reload(self, operation: ReloadUnit) -> None:
        """Reloads a unit, or restarts one that cannot be; returns when the job is done. Raises OperationError."""
        await self._change("ReloadOrRestartUnit", operation)

    async def kill(self, operation: KillUnit) -> None:
        """Sends a signal to every process of a unit, and waits for them to end as long as it says. Raises
        OperationError."""
        number = signal.Signals[operation.signal].value
        before = await self._running(operation.unit) if operation.wait_s else set()
        await self._ask(operation, {NO_SUCH_UNIT, NO_SUCH_PROCESS}, "KillUnit", "ssi", operation.unit, "all", number)
        deadline_s = asyncio.get_running_loop().time() + operation.wait_s
        while before and asyncio.get_running_loop().time() < deadline_s:
            await asyncio.sleep(ENDING_POLL_S)
            before &= await self._running(operation.unit)

    async def _running(self, unit: str) -> set[tuple[int, int]]:
        """The processes of a unit, told from their pids' later users. Raises ProbeError."""
        processes = await self.processes(await self.control_group(unit))
        return {(process.pid, process.start_ticks) for process in processes if process.alive}

    async def reset_failed(self, operation: ResetFailedUnit) -> None:
        """Forgets that a unit failed. Raises OperationError."""
        await self._ask(operation, {NO_SUCH_UNIT}, "ResetFailedUnit", "s", operation.unit)

    async def reload_manager(self) -> None:
        """Has systemd read all units' files again; it answers when it has. Raises OperationError."""
        try:
            async with asyncio.timeout(RELOAD_LIMIT_S):
                await self._bus.call("Reload")
        except TimeoutError as error:
            raise OperationError(f"systemctl daemon-reload: not done within {RELOAD_LIMIT_S:g} s") from error
        except BusError as error:
            raise _refusal("systemctl daemon-reload", error) from error

    async def _ask(
        self, operation: KillUnit | ResetFailedUnit, fine: set[str], method: str, signature: str, *body: Any
    ) -> None:
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                await self._bus.call(method, signature, *body)
        except TimeoutError as error:
            shown = operation.describe()
            raise OperationError(f"{shown}: systemd did not answer within {CALL_LIMIT_S:g} s") from error
        except BusError as error:
            if error.name not in fine:
                raise _refusal(operation.describe(), error) from error

    async def _change(self, method: str, operation: UnitJob, *, fine: str = "", mode: str = "replace") -> None:
        """Queues a job and waits for it. When the time is over the job is left to systemd."""
        shown = operation.describe()
        try:
            async with asyncio.timeout(operation.timeout_s):
                await self._signals.follow(operation.unit)
                path, *_ = await self._bus.call(method, "ss", operation.unit, mode, claim=self._signals.jobs.own_calls)
                result = await self._signals.jobs.result(path)
        except TimeoutError as error:
            raise OperationError(f"{shown}: systemd's job was not done after {operation.timeout_s:g} s") from error
        except BusError as error:
            if error.name == fine != "":
                return
            raise _refusal(shown, error) from error
        if result != "done":
            raise OperationError(f"{shown}: systemd's job ended as {result!r}{await self._last_words(operation.unit)}")

    async def _last_words(self, unit: str) -> str:
        with contextlib.suppress(ProbeError):
            state = await self.state(unit)
            return f"; the unit is {state.active_state} ({state.sub_state}), its result {state.result or 'unknown'!r}"
        return ""

    @contextlib.asynccontextmanager
    async def _telling(self, what: str) -> AsyncIterator[None]:
        """A time for systemd's answers. Raises ProbeError."""
        try:
            async with asyncio.timeout(READ_LIMIT_S):
                await self._bus.connect()
                yield
        except TimeoutError as error:
            raise ProbeError(f"{what}: systemd did not answer within {READ_LIMIT_S:g} s") from error
        except BusError as error:
            raise ProbeError(f"{what}: {error}") from error


def _refusal(shown: str, error: BusError) -> OperationError:
    if error.name in DENIED:
        missing = "not allowed; the polkit rule that lets this user do it is missing"
        return RefusedOperationError(f"{shown}: {missing} ({error})")
    if error.name.startswith(SYSTEMD):  # systemd's own answer to the call: no job was queued
        return RefusedOperationError(f"{shown}: {error}")
    if error.name in UNREACHABLE:
        return UnknownResultError(f"{shown}: {error}")
    return OperationError(f"{shown}: {error}")
