"""The executor as a process: its socket from systemd, its parts put together."""

import asyncio
import contextlib
import os
import pwd
import signal
import socket
from collections.abc import Callable, MutableMapping
from pathlib import Path

from guardian_agent.config import AgentConfig
from guardian_agent.errors import GuardianError
from guardian_agent.executor.afterwards import Afterwards
from guardian_agent.executor.audit import Audit
from guardian_agent.executor.policy import Policies
from guardian_agent.executor.server import Executor
from guardian_agent.host.as_root import AsRoot, secrets
from guardian_agent.host.units import LocalUnits

USER = "guardian"
_FIRST_FD = 3  # sd_listen_fds(3)


class NoSocketError(GuardianError):
    """This process was not started by systemd for its socket."""


def run(file: Path, read: Callable[[], AgentConfig], *, idle_s: float, audit: Audit | None = None) -> int:
    """Serves the socket that systemd handed over until there is nothing to do; the exit code.

    Raises:
        NoSocketError: there is none.
    """
    listener = inherited_socket(os.environ)
    users = {0, *_uids(USER)}

    async def serve() -> bool:
        units = LocalUnits()
        with contextlib.suppress(OSError):  # what is not forgotten now is at the next start
            await asyncio.to_thread(secrets.sweep)
        policies = Policies(file, read, units)
        executor = Executor(
            AsRoot(units), policies, audit or Audit(), users=users, idle_s=idle_s, afterwards=Afterwards()
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, executor.stop)
        if not await executor.serve(listener):
            # Threads cannot be stopped, and an ordinary end would wait for them: what has not ended in its time must.
            os._exit(1)
        await units.close()
        return True

    asyncio.run(serve())
    return 0


def inherited_socket(environment: MutableMapping[str, str]) -> socket.socket:
    """The listening socket that systemd opened (sd_listen_fds(3)); children do not inherit it. Raises NoSocketError."""
    mine = environment.pop("LISTEN_PID", "") == str(os.getpid())
    count = environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if not mine or count != "1":
        raise NoSocketError("systemd starts the executor for its socket: systemctl start guardian-executor.socket")
    os.set_inheritable(_FIRST_FD, False)
    listener = socket.socket(fileno=_FIRST_FD)
    if listener.family != socket.AF_UNIX or listener.type != socket.SOCK_STREAM:
        raise NoSocketError("the executor listens on a unix socket of type stream, and was given another one")
    return listener


def _uids(user: str) -> list[int]:
    try:
        return [pwd.getpwnam(user).pw_uid]
    except KeyError:
        return []
