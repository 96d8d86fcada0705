"""A real agent process, with its state in a folder of its own and components that are commands."""

import asyncio
import os
import re
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from guardian_agent.runtime.local_socket import LocalSocketError, ask

COMMAND = (sys.executable, "-c", "from guardian_agent.cli import main; main()")
PATIENCE_S = 20.0
SERVER = (
    "import http.server as h; h.ThreadingHTTPServer(('127.0.0.1', {port}), h.SimpleHTTPRequestHandler).serve_forever()"
)


def write_config(folder: Path, text: str = "", *, agent: str = 'mode = "heal"') -> Path:
    """Writes an agent.toml whose state is in `folder`/state. `agent`: lines of `[agent]`; `text`: what follows."""
    file = folder / "agent.toml"
    hold = folder / "hold"
    state = "" if "state_dir" in agent else f'state_dir = "{folder / "state"}"\n'
    file.write_text(f'[agent]\nid = "host-1"\nhost_probes = false\n{state}hold_file = "{hold}"\n{agent}\n{text}')
    return file


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def web(port: int) -> str:
    """A component that is a real HTTP server, and healed as often as need be.

    A probe that looks before the server is up could not tell, and would look again only an interval later.
    """
    command = f'["{sys.executable}", "-c", "{SERVER.format(port=port)}"]'
    return (
        f'[[component]]\nname = "web"\ncommand = {command}\nlisten = "tcp:127.0.0.1:{port}"\n'
        "[probes.l4_listen]\ninterval_s = 0.2\n[probes.host_process]\ninterval_s = 0.2\n"
        "[probes.l5_session]\ninterval_s = 0.5\n"
        "[playbooks.restart_component]\ncooldown_s = 0.0\n"
    )


class Running:
    """An agent; everything that it has said on standard error is in `said`."""

    def __init__(self, process: asyncio.subprocess.Process, config: Path) -> None:
        self.process = process
        self.config = config
        self.said: list[str] = []
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.said.append(line.decode().rstrip("\n"))

    def lines(self, pattern: str) -> list[str]:
        return [line for line in self.said if re.search(pattern, line)]

    async def says(self, pattern: str, *, times: int = 1) -> str:
        """Waits for a line; the last one that matches."""
        await self.until(lambda: len(self.lines(pattern)) >= times, pattern)
        return self.lines(pattern)[-1]

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Waits for something to become true; not when the agent has ended meanwhile."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > deadline or self.process.returncode is not None:
                raise AssertionError("\n".join((f"never: {what}; the agent said:", *self.said)))
            await asyncio.sleep(0.02)

    async def status(self) -> dict[str, Any]:
        """What `guardian-agent status --json` shows, without a process for it each time."""
        socket_file = self.config.parent / "state" / "agent.sock"
        answer: dict[str, Any] = await asyncio.to_thread(ask, socket_file, {"command": "status"})
        return answer

    async def status_when(self, holds: Callable[[dict[str, Any]], object], what: str) -> dict[str, Any]:
        """The first status of which `holds` is true."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    try:
                        status = await self.status()
                    except LocalSocketError:  # it is reloading
                        status = {}
                    if status and holds(status):
                        return status
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError("\n".join((f"never: {what}; {status}; the agent said:", *self.said))) from None

    def hang_up(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    async def end(self) -> int:
        """SIGTERM; its exit code."""
        if self.process.returncode is None:
            self.process.terminate()
        code = await asyncio.wait_for(self.process.wait(), PATIENCE_S)
        await self._reader
        return code


@asynccontextmanager
async def running(config: Path) -> AsyncIterator[Running]:
    """An agent that is ready; ended at the end, whatever happened, without a traceback in all that it said."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "run", "--config", str(config), stderr=asyncio.subprocess.PIPE
    )
    agent = Running(process, config)
    try:
        await agent.says("ready: ")
        yield agent
        assert await agent.end() == 0, agent.said
        assert not agent.lines("Traceback"), "\n".join(agent.said)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        _end_commands(config)


async def ended(*arguments: str) -> tuple[int, str, str]:
    """Runs a command to its end; its exit code, its output, and what it said on standard error."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, said = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(), said.decode()


def all_ok(status: dict[str, Any]) -> bool:
    """Whether there are probes and every one is good."""
    return bool(status["probes"]) and all(probe["state"] == "ok" for probe in status["probes"])


async def heals(agent: Running, port: int) -> None:
    """Kills the server of `web(port)` and waits until the agent has healed it."""
    before = len(agent.lines("restart_component: healed"))
    await agent.status_when(all_ok, "all is good")
    kill_server(port)
    await agent.says("restart_component: healed", times=before + 1)
    await agent.status_when(all_ok, "all is good again")


def _end_commands(config: Path) -> None:
    """Ends the servers of a configuration: a command outlives its agent."""
    for port in set(re.findall(r"tcp:127\.0\.0\.1:(\d+)", config.read_text())):
        kill_server(int(port))


def kill_server(port: int) -> None:
    """SIGKILL for whatever serves `web(port)`."""
    for folder in Path("/proc").glob("[0-9]*"):
        if _serves(folder, str(port).encode()):
            os.kill(int(folder.name), signal.SIGKILL)


def _serves(process: Path, port: bytes) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(b"ThreadingHTTPServer" in word and port in word for word in words)
