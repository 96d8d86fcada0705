"""Who holds a port, and how is it made to let go?"""

import asyncio
import contextlib
import os
import re
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

from guardian_agent.errors import OperationError, ProbeError, RefusedOperationError
from guardian_agent.host import port_table
from guardian_agent.host.operations import (
    DestroySockets,
    KillProcess,
    PortOperation,
    StartForeignUnit,
    StartUnit,
    StopForeignUnit,
    StopUnit,
)
from guardian_agent.host.protocols.units import UnitManager
from guardian_agent.host.questions import PortHolder, PortHolders, PortUse
from guardian_agent.host.sessions import ProcStat, all_stats, exited, read_stat

KILL_LIMIT_S = 10.0  # a killed process that is still there then hangs in the kernel
MOST_HOLDERS = 100
MOST_ARGUMENTS, LONGEST_ARGUMENT = 20, 200
STOPPED = Path("/run/guardian/stopped")  # the foreign units that were stopped on this boot, a file each
UNIT_ENDINGS = (".service", ".scope")

_UNIT = re.compile(r"(?!.*@\.)[A-Za-z0-9:_.\\@-]+\.service")
_SECRET = re.compile(r"pass|secret|token|key|auth|cred", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


async def read(question: PortHolders) -> PortUse:
    """Who holds the port. Raises ProbeError."""
    return await asyncio.to_thread(use_of, question.port)


def use_of(port: int) -> PortUse:
    """The same without waiting: some milliseconds, more with many processes. Raises ProbeError."""
    try:
        sockets = port_table.of_port(port)
    except OSError as error:
        raise ProbeError(f"who holds port {port}: {error.strerror}") from error
    listening = {one.inode: one for one in sockets if one.listens}
    held = _held_by(set(listening)) if listening else {}
    holders = []
    for process, inodes in held.items():
        addresses = dict.fromkeys(address for inode in sorted(inodes) for address in listening[inode].addresses)
        holders.append(_holder(process, tuple(addresses)))
    holders.sort(key=lambda holder: (holder.start_ticks, holder.pid))  # parents before their children
    seen = {inode for inodes in held.values() for inode in inodes}
    return PortUse(
        holders=tuple(holders[:MOST_HOLDERS]),
        ownerless=tuple(one.address for inode, one in listening.items() if inode not in seen),
        connections=sum(not one.listens for one in sockets),
        left_over=sum(one.left_over for one in sockets),
    )


def _held_by(inodes: set[int]) -> dict[ProcStat, set[int]]:
    """The processes that hold these sockets, each with those that it holds."""
    links = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[ProcStat, set[int]] = {}
    for process in all_stats():
        for link in _open_files(process.pid):
            if (inode := links.get(link)) is not None:
                found.setdefault(process, set()).add(inode)
    return found


def _open_files(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):  # it has ended
        for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - tens of thousands of them
            with contextlib.suppress(OSError):
                yield os.readlink(f"/proc/{pid}/fd/{name}")  # noqa: PTH115


def _holder(process: ProcStat, addresses: tuple[str, ...]) -> PortHolder:
    folder = Path(f"/proc/{process.pid}")
    name, program, uid, arguments = "", "", 0, tuple[str, ...]()
    with contextlib.suppress(OSError):
        name = (folder / "comm").read_text(errors="replace").rstrip("\n")
        uid = folder.stat().st_uid
        arguments = redacted((folder / "cmdline").read_text(errors="replace").split("\0")[:-1])
        program = os.readlink(folder / "exe")  # noqa: PTH115 - it may name a file that is gone
    group = control_group(process.pid)
    return PortHolder(
        pid=process.pid,
        start_ticks=process.start_ticks,
        name=name,
        uid=uid,
        addresses=addresses,
        program=program,
        unit=unit_of(group),
        control_group=group,
        session=process.session,
        arguments=arguments,
    )


def control_group(pid: int) -> str:
    """The control group of a process, of version 2, or else systemd's own (cgroups(7)); empty when it has ended."""
    groups = {}
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_text(errors="replace").splitlines():
            _, controllers, group = line.split(":", 2)
            groups[controllers] = group
    return groups.get("") or groups.get("name=systemd", "")


def unit_of(group: str) -> str:
    """The unit of the system's manager that a control group belongs to; empty where it is none."""
    first = next((part for part in group.split("/") if part and not part.endswith(".slice")), "")
    return first if first.endswith(UNIT_ENDINGS) else ""


def redacted(arguments: list[str]) -> tuple[str, ...]:
    """A command line with what looks like a secret left out."""
    kept, hide = [], False
    for word in arguments[:MOST_ARGUMENTS]:
        name, equals, _ = word.partition("=")
        secret = _SECRET.search(name) is not None and (name.startswith("-") or bool(equals))
        shown = "…" if hide else f"{name}=…" if secret and equals else _CREDENTIALS.sub("…@", word)
        hide = secret and not equals
        kept.append(shown[:LONGEST_ARGUMENT])
    return tuple(kept)


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
    """Starts the unit again. Raises OperationError."""
    if not was_stopped(operation.unit):
        raise RefusedOperationError(f"{operation.describe()}: it was not stopped by Guardian on this boot")
    await units.start(StartUnit(operation.unit, operation.timeout_s))
    (STOPPED / operation.unit).unlink(missing_ok=True)


def was_stopped(unit: str) -> bool:
    """Whether `StopForeignUnit` has stopped this unit on this boot, and nobody has started it again since by undoing
    that."""
    try:
        return bool(_UNIT.fullmatch(unit)) and stat.S_ISREG((STOPPED / unit).lstat().st_mode)
    except OSError:
        return False


def _mark(shown: str, unit: str) -> None:
    if not _UNIT.fullmatch(unit):
        raise RefusedOperationError(f"{shown}: {unit!r} is no name of a service")
    try:
        STOPPED.mkdir(mode=0o700, parents=True, exist_ok=True)
        (STOPPED / unit).touch()
    except OSError as error:
        raise RefusedOperationError(f"{shown}: {STOPPED}: {error.strerror}") from error
