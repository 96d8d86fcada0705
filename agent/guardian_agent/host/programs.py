"""Programs that are run to their end: with a time limit, an output limit, a session of their own, and no shell."""

import asyncio
import contextlib
import os
import signal

from guardian_agent.host import ProgramEnd
from guardian_agent.host.operations import RunProgram
from guardian_agent.host.sessions import Session, end, exited, read_stat, reap, spawn

PASSED_ON = ("PATH", "LANG")  # all that a program gets of the agent's environment
TAIL_BYTES = 4096  # how much of a program's output is kept, from its end


async def run(program: RunProgram, *, passed_on: tuple[str, ...] = PASSED_ON) -> ProgramEnd:
    """Runs a program until it ends, or kills it with all that it started at its time limit.

    `passed_on`: the variables of this process's environment that it gets beside its own.

    Raises:
        OSError: it cannot be started.
        OperationError: it was killed, and is still there.
    """
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    tail = bytearray()
    loop = asyncio.get_running_loop()
    try:
        pid = await _started(program, writing, passed_on)
        loop.add_reader(reading, _collect, reading, tail)
        code = await _finish(pid, program.timeout_s)
        _collect(reading, tail)
    finally:
        loop.remove_reader(reading)
        os.close(reading)
    return ProgramEnd(exit_code=code, output=tail.decode(errors="replace").strip())


def ending(end: ProgramEnd, timeout_s: float) -> str:
    """How it ended, in words."""
    if end.exit_code is None:
        return f"was still running after {timeout_s:g} s and was killed"
    if end.exit_code < 0:
        return f"was killed by {signal.Signals(-end.exit_code).name}"
    return f"ended with exit code {end.exit_code}"


async def _started(program: RunProgram, output: int, passed_on: tuple[str, ...]) -> int:
    """Starts a program in a thread; when cancelled meanwhile it is waited for and killed. Closes `output`."""
    environment = {name: os.environ[name] for name in passed_on if name in os.environ} | program.environment
    starting = asyncio.ensure_future(asyncio.to_thread(spawn, program.argv, output=output, environment=environment))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            await _finish(await starting, timeout_s=0)
        raise
    finally:
        os.close(output)


async def _finish(pid: int, timeout_s: float) -> int | None:
    """The exit code of our child; None when it had to be killed, with its session, at the time limit."""
    pidfd = os.pidfd_open(pid)
    try:
        async with asyncio.timeout(timeout_s):
            await exited(pidfd)
        return reap(pidfd)
    except (TimeoutError, asyncio.CancelledError) as error:
        if stat := read_stat(pid):
            await end(Session(pid, stat.start_ticks, ""), grace_s=0)
        reap(pidfd)
        if isinstance(error, asyncio.CancelledError):
            raise
        return None
    finally:
        os.close(pidfd)


def _collect(reading: int, tail: bytearray) -> None:
    """Takes what a program wrote, so that it is never held up, and keeps the end of it."""
    with contextlib.suppress(BlockingIOError):
        while chunk := os.read(reading, 65536):
            tail += chunk
            del tail[:-TAIL_BYTES]
        asyncio.get_running_loop().remove_reader(reading)  # all who could write are gone
