"""Sessions of processes: one is started for every program, so that the program can be ended with all that it started.

A pid alone is never trusted: it may belong to somebody else by now. The start time (clock ticks since boot) tells, and
signals go through pidfds, which stay with the process that they were opened for.
"""

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from guardian_agent.errors import OperationError

TOKEN = "GUARDIAN_SESSION"  # noqa: S105 - the name of the variable that marks what we started
KILL_LIMIT_S = 10.0  # a killed process that is still there then hangs in the kernel
# Said to this agent by its own service manager, and not to what it starts.
NOT_INHERITED = {
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "JOURNAL_STREAM",
    "GUARDIAN_SERVICE",
}
# Python ignores the first two, and what is ignored stays so through exec.
DEFAULT_AGAIN = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGHUP, signal.SIGTERM]


class ProcStat(NamedTuple):
    """What proc_pid_stat(5) says of a process; it is gone, or as good as, in status Z or X."""

    pid: int
    status: str
    session: int
    start_ticks: int

    @property
    def alive(self) -> bool:
        return self.status not in "ZX"


class Session(NamedTuple):
    """All processes that stem from one that we started and that did not leave for a session of their own."""

    leader: int
    start_ticks: int
    token: str  # in the environment of the leader as TOKEN


def read_stat(pid: int) -> ProcStat | None:
    """The process with that pid at this moment, if any."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(b")") + 2 :].split()  # the name before may contain anything
    return ProcStat(pid, fields[0].decode("ascii"), int(fields[3]), int(fields[19]))


def all_stats() -> Iterator[ProcStat]:
    """Every process that this user may see. Some milliseconds: call it in a thread."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - thousands of Path objects for nothing
        if name.isdecimal() and (stat := read_stat(int(name))) is not None:
            yield stat


def members(session: Session) -> list[ProcStat]:
    """The living processes of a session. Some milliseconds: call it in a thread.

    While a session has members the kernel does not use its number again. A leader with another start time therefore
    means that our session is empty; where the leader is gone, those that plainly are not ours are left out.
    """
    leader = read_stat(session.leader)
    if leader is not None and leader.start_ticks != session.start_ticks:
        return []
    return [
        stat
        for stat in all_stats()
        if stat.session == session.leader
        and stat.alive
        and stat.start_ticks >= session.start_ticks
        and (leader is not None or _may_carry(stat.pid, session.token))
    ]


def leader_with(token: str) -> ProcStat | None:
    """The session leader that was started with that token, if it lives. Some milliseconds: call it in a thread."""
    for stat in all_stats():
        if stat.session == stat.pid and f"{TOKEN}={token}".encode() in _environment(stat.pid).split(b"\0"):
            return stat
    return None


def _may_carry(pid: int, token: str) -> bool:
    """Whether a process has our token or no readable environment (servers write their title over it)."""
    environment = _environment(pid)
    return f"{TOKEN}={token}".encode() in environment.split(b"\0") or b"=" not in environment


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def inherited() -> dict[str, str]:
    """This process's environment without what is said to a service."""
    return {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}


def spawn(argv: tuple[str, ...], *, output: int, token: str = "", environment: Mapping[str, str] | None = None) -> int:
    """Starts a program in a session of its own, reading nothing, writing to the file `output`; returns its pid.

    It gets that environment (None: what is `inherited`), and no other open file. It returns when the program is loaded,
    so call it in a thread. Raises OSError.
    """
    environment = inherited() if environment is None else dict(environment)
    if token:
        environment[TOKEN] = token
    return os.posix_spawnp(
        argv[0],
        argv,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=DEFAULT_AGAIN,
    )


async def exited(pidfd: int) -> None:
    """Returns when the process of a pidfd is gone or a zombie. One waiter a descriptor."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(pidfd, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(pidfd)


def reap(pidfd: int) -> int | None:
    """The exit code of our own child that has exited; negative for a signal; None for somebody else's."""
    try:
        result = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return None
    if result is None:
        return None
    return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status


async def end(session: Session, grace_s: float) -> None:
    """Ends all of a session, returns when it is gone: SIGTERM, after `grace_s` seconds SIGKILL (0: at once).

    Raises:
        OperationError: some are still there; the text names them.
    """
    if grace_s > 0 and not await _signal_all(session, signal.SIGTERM, grace_s):
        return
    if left := await _signal_all(session, signal.SIGKILL, KILL_LIMIT_S):
        pids = ", ".join(str(stat.pid) for stat in left)
        raise OperationError(f"killed, and still there after {KILL_LIMIT_S:g} s: {pids}")


async def _signal_all(session: Session, number: signal.Signals, within_s: float) -> list[ProcStat]:
    """Signals every member, and those that they start meanwhile; returns who is left after `within_s` seconds."""
    try:
        async with asyncio.timeout(within_s):
            while found := await asyncio.to_thread(members, session):
                await asyncio.gather(*(_signal(stat, number) for stat in found))
    except TimeoutError:
        return await asyncio.to_thread(members, session)
    return []


async def _signal(stat: ProcStat, number: signal.Signals) -> None:
    """Sends one signal to exactly that process and waits until it is gone."""
    try:
        pidfd = os.pidfd_open(stat.pid)
    except ProcessLookupError:
        return
    try:
        now = read_stat(stat.pid)
        if now is None or now.start_ticks != stat.start_ticks:
            return
        signal.pidfd_send_signal(pidfd, number)
        if number is signal.SIGTERM:
            signal.pidfd_send_signal(pidfd, signal.SIGCONT)  # one that is stopped dies when it goes on
        await exited(pidfd)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise OperationError(f"not allowed to end process {stat.pid}: it runs as another user") from error
    finally:
        os.close(pidfd)
