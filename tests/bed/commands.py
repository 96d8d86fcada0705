"""Runs programs with an argument list, a time limit and a clean end; never through a shell of its own."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class CommandError(Exception):
    """A program ended with another code than 0, or had to be stopped at its time limit."""


@dataclass(frozen=True)
class Finished:
    """What is left of a program that ended by itself; `code` is negative for a signal."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    def check(self) -> "Finished":
        """Returns itself; raises CommandError with the end of its output when the code is not 0."""
        if not self.ok:
            said = (self.err.strip() or self.out.strip())[-2000:]
            raise CommandError(f"{' '.join(self.argv)} ended with {self.code}: {said}")
        return self


async def run(
    *argv: str,
    shown: Sequence[str] | None = None,
    stdin: bytes = b"",
    timeout_s: float = 60.0,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Finished:
    """Runs `argv` to its end and returns what it printed, decoded with replacement characters.

    The program leads its own session; at the time limit, or when the caller is cancelled, the whole group is killed.
    `shown` stands for `argv` in messages.

    Raises:
        CommandError: it was still running after `timeout_s` seconds.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=None if env is None else dict(env),
        pass_fds=pass_fds,
        start_new_session=True,
    )
    named = tuple(shown or argv)
    going = asyncio.create_task(_keep_going(process))
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await process.communicate(stdin)
    except TimeoutError:
        raise CommandError(f"{' '.join(named)} was still running after {timeout_s:g} s") from None
    finally:
        going.cancel()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    assert process.returncode is not None
    return Finished(named, process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


async def _keep_going(process: asyncio.subprocess.Process) -> None:
    """Wakes the program when it was stopped.

    A host that shuts down stops all its processes for a moment. nsenter then stops itself with the one that it started,
    nobody wakes it, and the shutdown waits up to 90 s for that process to be buried.
    """
    while process.returncode is None:
        await asyncio.sleep(0.2)
        with contextlib.suppress(ProcessLookupError):
            # Not process.send_signal: it would bury the program, and asyncio, which waits for it too, would answer 255.
            os.kill(process.pid, signal.SIGCONT)
