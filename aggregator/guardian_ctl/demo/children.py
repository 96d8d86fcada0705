"""The processes that the demo starts, and the one that the agent starts for it."""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from guardian_ctl.errors import CtlError, NotInstalledError

STOP_WITHIN_S = 5.0
TAIL_LINES = 12
SESSION = "GUARDIAN_SESSION"  # the agent marks with it what it starts
# A service manager's words to this process, not to its children (the agent would take itself for the installed
# service), and proxies, through which loopback cannot be reached.
NOT_INHERITED = {"NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM", "WATCHDOG_PID", "WATCHDOG_USEC", SESSION}
PROXIES = {"http_proxy", "https_proxy", "all_proxy", "grpc_proxy"}


class Child:
    """A process of our own, in its own session so that a Ctrl-C reaches us alone; its output goes to a file."""

    def __init__(self, name: str, log: Path, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.log = log
        self._process = process

    @classmethod
    async def start(cls, name: str, folder: Path, *arguments: str) -> "Child":
        """Runs the console script `name`.

        Raises:
            NotInstalledError: there is none.
        """
        log = folder / f"{name}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                console_script(name),
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment(),
                start_new_session=True,
            )
        return cls(name, log, process)

    def check(self) -> None:
        """Raises CtlError, with the end of its log, when it has ended."""
        code = self._process.returncode
        if code is not None:
            ended = f"ended with exit code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
            raise CtlError(f"{self.name} {ended}{self.tail()}")

    def tail(self) -> str:
        """The end of its log, to be put after a sentence."""
        return tail(self.log)

    async def stop(self) -> None:
        """Asks it to end, and kills it when it does not."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.returncode is None:
                with suppress(ProcessLookupError):
                    self._process.send_signal(number)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), STOP_WITHIN_S)


def console_script(name: str) -> str:
    """Where it is: beside our own interpreter, or on the PATH.

    Raises:
        NotInstalledError: it is nowhere.
    """
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(name)
    if found is None:
        raise NotInstalledError(f"the demo needs {name}: pip install 'guardian-fleet[agent,aggregator,ctl]'")
    return found


def environment() -> dict[str, str]:
    """What a child is to know of ours."""
    return {
        name: value for name, value in os.environ.items() if name not in NOT_INHERITED and name.lower() not in PROXIES
    }


def tail(log: Path) -> str:
    """The last lines of a log below a heading, or that there are none."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    except OSError:
        lines = []
    if not lines:
        return "; it has logged nothing"
    return "\n".join([f"; the end of {log.name}:", *(f"  {line}" for line in lines)])


def launches(register: Path) -> list[dict[str, Any]]:
    """What the agent says it started for a component, the newest last; empty as long as that cannot be read."""
    try:
        found = json.loads(register.read_text())
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []


def running_pid(register: Path) -> int | None:
    """The pid of the component's process, if it lives."""
    newest = (launches(register) or [{}])[-1]
    pid, start_ticks = newest.get("pid"), newest.get("start_ticks")
    return pid if isinstance(pid, int) and pid > 0 and _start_ticks(pid) == start_ticks else None


async def end_launched(register: Path) -> None:
    """Kills what the agent started for the component. The agent must have ended, or it would heal.

    By the token of each launch rather than by pid: nobody else's process carries it, and it also finds a process whose
    pid an agent that was killed had no time to write down.
    """
    tokens = {f"{SESSION}={launch['token']}".encode() for launch in launches(register) if launch.get("token")}
    for pid in list(_pids()) if tokens else ():
        with suppress(OSError):
            pidfd = os.pidfd_open(pid)
            try:
                if tokens & _environment(pid):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                    await _exited(pidfd)
            finally:
                os.close(pidfd)


async def _exited(pidfd: int) -> None:
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(pidfd, gone.set)
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(gone.wait(), STOP_WITHIN_S)
    finally:
        loop.remove_reader(pidfd)


def _environment(pid: int) -> set[bytes]:
    return set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _start_ticks(pid: int) -> int | None:
    """When a living process started (proc_pid_stat(5), field 22)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
