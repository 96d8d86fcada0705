"""A real aggregator process on ports of its own choice."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

COMMAND = (sys.executable, "-c", "import sys; from guardian_aggregator.cli import main; sys.exit(main())")
_LISTENING = re.compile(r"listening: grpc (\S+) http (\S+)")


def write_config(
    folder: Path,
    *,
    grpc: str = "127.0.0.1:0",
    http: str = "127.0.0.1:0",
    tls: str = "insecure = true",
    https: str = "",
) -> Path:
    """Writes an aggregator.toml whose state is in `folder`/state; `tls`, `https`: more of [grpc] and of [http]."""
    file = folder / "aggregator.toml"
    file.write_text(
        f'[aggregator]\nstate_dir = "{folder / "state"}"\n[grpc]\nlisten = "{grpc}"\n{tls}\n[http]\nlisten = "{http}"\n'
        f"{https}\n"
    )
    return file


class Running:
    """An aggregator that listens on `grpc` and `http` (HOST:PORT)."""

    def __init__(self, process: asyncio.subprocess.Process, grpc: str, http: str) -> None:
        self.process = process
        self.grpc = grpc
        self.http = http

    async def kill(self) -> None:
        """SIGKILL, and waits for its end."""
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM; its exit code."""
        self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), 20)


async def start(config: Path) -> Running:
    """Starts an aggregator and waits until it listens."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "run", "--config", str(config), stderr=asyncio.subprocess.PIPE
    )
    lines = []
    assert process.stderr is not None
    while line := await asyncio.wait_for(process.stderr.readline(), 20):
        lines.append(line.decode())
        if found := _LISTENING.search(lines[-1]):
            return Running(process, found[1], found[2])
    raise AssertionError(f"exit {await process.wait()}: {''.join(lines)}")


@asynccontextmanager
async def running(config: Path) -> AsyncIterator[Running]:
    """An aggregator that is killed at the end, unless it has ended."""
    aggregator = await start(config)
    try:
        yield aggregator
    finally:
        if aggregator.process.returncode is None:
            await aggregator.kill()


async def ended(*arguments: str) -> tuple[int, str]:
    """Runs a command to its end; its exit code and what it said on standard error."""
    process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, stderr=asyncio.subprocess.PIPE)
    _, said = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode or 0, said.decode()
