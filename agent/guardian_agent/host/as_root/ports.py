"""How is a port made free?"""

import asyncio
import contextlib
import os
import signal

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host import port_holders, port_table
from guardian_agent.host.operations import (
    DestroySockets,
    KillProcess,
    PortOperation,
    StartForeignUnit,
    StartUnit,
    StopForeignUnit,
    StopUnit,
)
from guardian_agent.host.port_holders import use_of
from guardian_agent.host.protocols.units import UnitManager
from guardian_agent.host.questions import PortHolders, PortUse
from guardian_agent.host.sessions import exited, read_stat

KILL_LIMIT_S = 10.0  # a killed process that is still there then hangs in the kernel


async def read(question: PortHolders) -> PortUse:
    """Who holds the port. Raises ProbeError."""
    return await asyncio.to_thread(use_of, question.port)


async def change(units: UnitManager, operation: PortOperation) -> None:
    """Carries out one operation. Raises OperationError."""
    match operation:
        case StopForeignUnit():
            await stop_unit(units, operation)
        case StartForeignUnit():
            await start_unit(units, operation)
        case KillProcess():
            await kill(operation)
        case DestroySockets():
            await destroy_sockets(operation)


async def kill(operation: KillProcess) -> None:
    """Ends exactly that process and returns when it is gone. Raises OperationError."""
    shown = operation.describe()
    if operation.pid <= 1:
        raise RefusedOperationError(f"{shown}: pid {operation.pid} is never ended")
    try:
        pidfd = os.pidfd_open(operation.pid)
    except ProcessLookupError:
        return
    except OSError as error:
        raise RefusedOperationError(f"{shown}: {error.strerror}") from error
    try:
        # After the descriptor: from here on it is this process or none.
        if not await _still_holds(operation):
            return
        if operation.grace_s > 0 and await _gone_by(pidfd, signal.SIGTERM, operation.grace_s):
            return
        if not await _gone_by(pidfd, signal.SIGKILL, KILL_LIMIT_S):
            raise OperationError(f"{shown}: killed, and still there after {KILL_LIMIT_S:g} s")
    finally:
        os.close(pidfd)


async def _still_holds(operation: KillProcess) -> bool:
    now = read_stat(operation.pid)
    if now is None or now.start_ticks != operation.start_ticks:
        return False
    use = await asyncio.to_thread(use_of, operation.port)
    return any(one.pid == operation.pid for one in use.holders)


async def _gone_by(pidfd: int, number: signal.Signals, within_s: float) -> bool:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, number)
        signal.pidfd_send_signal(pidfd, signal.SIGCONT)  # one that is stopped dies when it goes on
    try:
        async with asyncio.timeout(within_s):
            await exited(pidfd)
    except TimeoutError:
        return False
    return True


async def destroy_sockets(operation: DestroySockets) -> None:
    """Ends what no process holds of the port's connections. Raises OperationError."""
    try:
        await asyncio.to_thread(_destroy, operation.port)
    except OSError as error:
        raise OperationError(f"{operation.describe()}: {error.strerror or error}") from error


def _destroy(port: int) -> None:
    for one in port_table.of_port(port):
        if one.left_over:
            port_table.destroy(one)


async def stop_unit(units: UnitManager, operation: StopForeignUnit) -> None:
    """Notes that the unit is to be started again, and stops it. Raises OperationError."""
    _mark(operation.describe(), operation.unit)
    await units.stop(StopUnit(operation.unit, operation.timeout_s))


async def start_unit(units: UnitManager, operation: StartForeignUnit) -> None:
    """Starts the unit again; one that was not stopped is left as it is. Raises OperationError."""
    if port_holders.was_stopped(operation.unit):
        await units.start(StartUnit(operation.unit, operation.timeout_s))
        (port_holders.STOPPED / operation.unit).unlink(missing_ok=True)


def _mark(shown: str, unit: str) -> None:
    if not port_holders.is_service(unit):
        raise RefusedOperationError(f"{shown}: {unit!r} is no name of a service")
    folder = port_holders.STOPPED
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / unit).touch()
    except OSError as error:
        raise RefusedOperationError(f"{shown}: {folder}: {error.strerror}") from error
