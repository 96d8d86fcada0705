"""Processes of this host, the commands that this agent started, and programs that it runs to their end."""

import asyncio
import contextlib
import os
import shlex
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import msgspec

from guardian_agent.errors import CannotLookError, OperationError, ProbeError
from guardian_agent.host import Listener, ProcessState, ProcessUse, ProgramEnd
from guardian_agent.host.busiest import busiest
from guardian_agent.host.clock import boot_id
from guardian_agent.host.operations import RunProgram, StartCommand, StopCommand
from guardian_agent.host.programs import ending, run
from guardian_agent.host.sessions import (
    Session,
    all_stats,
    end,
    exited,
    leader_with,
    members,
    read_stat,
    reap,
    spawn,
)

LOG_LIMIT_BYTES = 8 << 20  # a larger log is put aside when the command starts again


class Launch(msgspec.Struct):
    """One start of a command. It is written before the start, without a pid, and again with it: an agent that dies in
    between finds the process by its token."""

    boot_id: str
    token: str
    pid: int = 0
    start_ticks: int = 0
    ended: bool = False  # its session was seen empty; its numbers mean nothing any more
    exit_code: int | None = None
    failed: bool = False  # there was no such program, or it may not be run

    @property
    def session(self) -> Session:
        return Session(self.pid, self.start_ticks, self.token)


class LocalProcesses:
    """Commands are registered in `state_dir/commands/NAME.json`; they outlive the agent and are found again there."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / "commands"
        self._launches: dict[str, list[Launch]] = {}  # the newest last; older ones while some of their session live
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def close(self) -> None:
        """Stops watching; what was started goes on."""
        watches = list(self._watches.values())
        self._watches.clear()
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    async def command(self, component: str) -> ProcessState | None:
        """The process that was last started for a `command` component; None when none was on this boot. Where the last
        start failed it is one without a pid, and dead.

        Raises:
            ProbeError: the register cannot be read.
        """
        launches = await self._registered(component)
        if not launches:
            return None
        launch = launches[-1]
        stat = None if launch.ended else read_stat(launch.pid)
        mine = stat if stat is not None and stat.start_ticks == launch.start_ticks else None
        return ProcessState(
            pid=launch.pid,
            start_ticks=launch.start_ticks,
            alive=mine is not None and mine.alive,
            session=launch.pid,
            status=mine.status if mine is not None else "",
            exit_code=launch.exit_code,
        )

    async def wait_exit(self, component: str) -> None:
        """Returns when the component's present process is gone (pidfd); at once when there is none."""
        await self._registered(component)
        if watch := self._watches.get(component):
            await asyncio.shield(watch)

    async def holders(self, listener: Listener) -> list[ProcessState]:
        """The processes that hold a listening socket, as far as this user may see them."""
        return await asyncio.to_thread(_holders, f"socket:[{listener.inode}]")

    async def busiest(self, most: int) -> list[ProcessUse]:
        """The processes that take most of the processor, and those that take most of the memory, `most` of each."""
        return await busiest(most)

    async def start_command(self, operation: StartCommand) -> None:
        """Starts a component's command unless it runs. Raises OperationError."""
        name = operation.component
        async with self._locks[name]:
            state = await self.command(name)
            if state is not None and state.alive:
                return
            launches = [launch for launch in self._launches.get(name, []) if not launch.ended]
            earlier = [launch for launch in launches if await asyncio.to_thread(members, launch.session)]
            launch = Launch(boot_id(), os.urandom(16).hex())
            # Until all is written the file knows more than this object, also when this task is cancelled half-way.
            self._launches.pop(name, None)
            await self._write(name, [*earlier, launch])
            try:
                launch.pid = await asyncio.to_thread(self._spawn, name, operation.argv, launch.token)
            except OSError as error:
                launch.failed = launch.ended = True
                await self._write(name, [*earlier, launch])
                raise OperationError(f"cannot start {operation.argv[0]}: {error.strerror or error}") from error
            if stat := read_stat(launch.pid):  # ours and not yet reaped: it is there, if only as a zombie
                launch.start_ticks = stat.start_ticks
            self._launches[name] = [*earlier, launch]
            self._watch(name, launch)
            await self._write(name, self._launches[name])

    async def stop_command(self, operation: StopCommand) -> None:
        """Ends every session that was started for a component. Raises OperationError."""
        name = operation.component
        async with self._locks[name]:
            launches = await self._registered(name)
            for launch in launches:
                if not launch.ended:
                    await end(launch.session, operation.grace_s)
            await self.wait_exit(name)
            for launch in launches:
                launch.ended = True
            self._launches[name] = launches[-1:]
            await self._write(name, launches[-1:])

    async def run_program(self, operation: RunProgram) -> None:
        """Runs a program to its end. Raises OperationError with its last output when it fails or takes too long."""
        try:
            end = await run(operation)
        except OSError as error:
            raise OperationError(f"cannot start {operation.argv[0]}: {error.strerror or error}") from error
        if end.exit_code != 0:
            said = f": {end.output}" if end.output else ""
            raise OperationError(f"{shlex.join(operation.argv)} {ending(end, operation.timeout_s)}{said}")

    async def check(
        self, argv: tuple[str, ...], timeout_s: float, environment: Mapping[str, str] | None = None
    ) -> ProgramEnd:
        """Runs a program that only looks, to its end. Raises CannotLookError when it cannot be started."""
        try:
            return await run(RunProgram(argv=argv, timeout_s=timeout_s, environment=dict(environment or {})))
        except OSError as error:
            raise CannotLookError(f"cannot start {argv[0]}: {error.strerror or error}") from error
        except OperationError as error:  # it was to be killed, and could not be
            raise ProbeError(str(error)) from error

    def _spawn(self, name: str, argv: tuple[str, ...], token: str) -> int:
        log = self._file(name, ".log")
        with contextlib.suppress(FileNotFoundError):
            if log.lstat().st_size > LOG_LIMIT_BYTES:
                log.replace(self._file(name, ".log.1"))
        output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            return spawn(argv, output=output, token=token)
        finally:
            os.close(output)

    def _watch(self, name: str, launch: Launch) -> None:
        """Reaps the process when it exits, and lets those who wait for it go."""
        try:
            pidfd = os.pidfd_open(launch.pid)
        except ProcessLookupError:
            return
        stat = read_stat(launch.pid)
        if stat is None or stat.start_ticks != launch.start_ticks:
            os.close(pidfd)
            return
        self._watches[name] = asyncio.create_task(self._follow(launch, pidfd), name=f"exit of {name}")

    async def _follow(self, launch: Launch, pidfd: int) -> None:
        try:
            await exited(pidfd)
            launch.exit_code = reap(pidfd)
        finally:
            os.close(pidfd)

    async def _registered(self, name: str) -> list[Launch]:
        """The launches of a component on this boot, the newest last; read from the file when first asked for."""
        if (known := self._launches.get(name)) is not None:
            return known
        try:
            launches = await asyncio.to_thread(self._read, name)
        except (OSError, msgspec.MsgspecError) as error:
            raise ProbeError(f"{self._file(name, '.json')}: {error}") from error
        if (known := self._launches.get(name)) is None:  # nobody else was faster
            known = self._launches[name] = launches
            if launches and not launches[-1].ended:
                self._watch(name, launches[-1])
        return known

    def _read(self, name: str) -> list[Launch]:
        try:
            text = self._file(name, ".json").read_bytes()
        except FileNotFoundError:
            return []
        launches = [one for one in msgspec.json.decode(text, type=list[Launch]) if one.boot_id == boot_id()]
        for launch in launches:
            if launch.pid == 0 and (found := leader_with(launch.token)):
                launch.pid, launch.start_ticks = found.pid, found.start_ticks
            elif launch.pid == 0:  # we died before it was started, or it died before anybody knew its pid
                launch.failed = launch.ended = True
        return launches

    async def _write(self, name: str, launches: list[Launch]) -> None:
        data = msgspec.json.encode(launches)
        file, new = self._file(name, ".json"), self._file(name, ".json.new")

        def replace() -> None:
            # Not synced: after a power loss there is another boot, and nothing of this one runs.
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.write_bytes(data)
            new.replace(file)

        try:
            await asyncio.to_thread(replace)
        except OSError as error:
            raise OperationError(f"cannot write {file}: {error.strerror or error}") from error

    def _file(self, name: str, ending: str) -> Path:
        return self._folder / f"{quote(name, safe='')}{ending}"


def _holders(link: str) -> list[ProcessState]:
    found = []
    for stat in all_stats():
        with contextlib.suppress(OSError):  # gone, or another user's
            folder = f"/proc/{stat.pid}/fd"
            if any(_target(f"{folder}/{name}") == link for name in os.listdir(folder)):  # noqa: PTH208 - as in sessions.py
                found.append(
                    ProcessState(
                        pid=stat.pid,
                        start_ticks=stat.start_ticks,
                        alive=stat.alive,
                        status=stat.status,
                        session=stat.session,
                    )
                )
    return found


def _target(link: str) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115 - tens of thousands of them
    except FileNotFoundError:
        return ""
