"""An executor on a real socket in a temporary folder, with a root that only remembers."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from guardian_agent.config import AgentConfig, load
from guardian_agent.executor.audit import Audit
from guardian_agent.executor.policy import Policies
from guardian_agent.executor.server import Executor
from guardian_agent.host.operations import RootOperation, SetLink, SetLinkMtu, WriteSysctl
from guardian_agent.host.questions import Question, ReadStacks, ThreadStack

T = TypeVar("T")

DOWN, UP = SetLink("eth0", up=False), SetLink("eth0", up=True)
MTU, MTU_BEFORE = SetLinkMtu("eth0", 1400), SetLinkMtu("eth0", 1500)
ALLOWED = WriteSysctl("net.core.somaxconn", "4096")
FORBIDDEN = WriteSysctl("kernel.core_pattern", "|/tmp/x")
STACKS = ReadStacks("web.service")
CONFIG = """
[agent]
mode = "heal"
hold_file = "{folder}/hold"
protected = ["sshd.service"]
[[component]]
name = "web"
unit = "web.service"
"""


async def until(true: Callable[[], bool]) -> None:
    """Returns when it is so: within ten seconds, or not at all."""
    async with asyncio.timeout(10.0):
        while not true():  # noqa: ASYNC110 (nobody tells of it)
            await asyncio.sleep(0.01)


class FakeRoot:
    """Remembers what it was to do; `then` is called for each operation, and may raise or wait."""

    def __init__(self) -> None:
        self.done: list[RootOperation] = []
        self.then: Callable[[RootOperation], Any] | None = None
        self.answer: object = (ThreadStack(pid=1, tid=2, name="nginx", status="S"),)

    async def keep(self, *, of_others: bool = False) -> None:
        """Nothing is armed here."""

    async def do(self, operation: RootOperation, undo: RootOperation | None = None) -> None:
        if self.then is not None and (waiting := self.then(operation)) is not None:
            await waiting
        self.done.append(operation)

    async def ask(self, question: Question[T]) -> T:
        if isinstance(self.answer, Exception):
            raise self.answer
        return cast(T, self.answer)


class Names:
    """systemd's names of units: `aliases` have another own one; an exception is raised."""

    def __init__(self, **aliases: str) -> None:
        self.aliases = {name.replace("_", ".", 1): own for name, own in aliases.items()}
        self.triggered: dict[str, tuple[str, ...]] = {}
        self.failure: Exception | None = None

    async def triggers(self, unit: str) -> tuple[str, ...]:
        return self.triggered.get(unit, ())

    async def own_name(self, unit: str) -> str:
        if self.failure is not None:
            raise self.failure
        return self.aliases.get(unit, unit)


def read_config(file: Path) -> AgentConfig:
    return load(file, probe_fields={}, playbook_fields={}, issue_types=())


class Stage:
    """The parts, and where they are."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        self.file = folder / "agent.toml"
        self.file.write_text(CONFIG.format(folder=folder))
        self.file.chmod(0o644)
        self.path = folder / "executor.sock"
        self.log = folder / "log" / "executor.jsonl"
        self.root = FakeRoot()
        self.names = Names()
        self.audit = Audit(self.log)
        self.policies = Policies(self.file, lambda: read_config(self.file), cast(Any, self.names), owner=os.getuid())
        self.executor: Executor
        self.serving: asyncio.Task[bool]

    async def done(self, count: int) -> None:
        """Returns when so many operations were done."""
        await until(lambda: len(self.root.done) >= count)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    @contextlib.asynccontextmanager
    async def running(self, **settings: Any) -> AsyncIterator[None]:
        users = settings.pop("users", {os.getuid()})
        self.executor = Executor(self.root, self.policies, self.audit, users=users, **settings)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(os.fspath(self.path))
            listener.listen()
            self.serving = asyncio.create_task(self.executor.serve(listener))
            try:
                yield
            finally:
                self.executor.stop()
                await self.serving
