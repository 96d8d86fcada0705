"""The demo's stage: an aggregator, an agent and a component, as real processes on loopback in a temporary folder."""

import asyncio
import json
import random
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from guardian_ctl.client import Client
from guardian_ctl.demo import server
from guardian_ctl.demo.children import Child, end_launched, running_pid, tail
from guardian_ctl.demo.watching import WatchingClient
from guardian_ctl.errors import CtlError

HOST = "demo-host"
COMPONENT = "web"
HEALTH_INTERVAL_S = 0.5
HEALTH_TIMEOUT_S = 0.5
START_WITHIN_S = 30.0
POLL_S = 0.05
# Below the ports that the kernel gives to clients: one of those could have ours while the component is down.
PORTS = range(10_000, 30_000)
PROBES = {"transport": 2, "application": 1, "host": 1}  # how many look at the component, by layer

_LISTENING = re.compile(r"listening: grpc (\S+) http (\S+)")

T = TypeVar("T")


class Stage:
    """All that runs. `open` builds it up, `close` takes down whatever of it is there."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="guardian-demo-"))
        self.url = ""
        self.client: WatchingClient
        self._children: list[Child] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._register = self.folder / "agent" / "commands" / f"{COMPONENT}.json"

    async def open(self, progress: Callable[[str], None]) -> None:
        """Starts everything and waits until all of it is seen to be well.

        Raises:
            CtlError: something did not start, with the end of its log.
        """
        progress("the aggregator starts")
        grpc = await self._start_aggregator()
        progress(f"the aggregator serves {self.url}; the agent starts, and starts {COMPONENT}")
        port = free_port()
        self.client = WatchingClient(f"http://127.0.0.1:{port}/")
        config = self._write("agent.toml", agent_config(self.folder, grpc, port))
        self._children.append(await Child.start("guardian-agent", self.folder, "run", "--config", str(config)))
        self._tasks.append(asyncio.create_task(self.client.run(), name="client"))
        await self.until(self._answers, f"{COMPONENT} answers", START_WITHIN_S, log=self._component_log)
        progress(f"{COMPONENT} answers at {self.client.url}; the agent connects and looks")
        async with Client(self.url) as api:
            await self.until(
                lambda: all_well(api), "the agent tells that all is well", START_WITHIN_S, log=self.agent.log
            )

    @property
    def agent(self) -> Child:
        return self._children[1]

    def pid(self) -> int:
        """The component's process. Raises CtlError when there is none."""
        pid = running_pid(self._register)
        if pid is None:
            raise CtlError(f"{COMPONENT} has no process, by the agent's register{tail(self._component_log)}")
        return pid

    async def until(self, ask: Callable[[], Awaitable[T | None]], what: str, within_s: float, *, log: Path) -> T:
        """Asks again and again until the answer is true, and returns it.

        Raises:
            CtlError: it takes longer, or a child has ended; with the end of the log that may tell why.
        """
        end = asyncio.get_running_loop().time() + within_s
        while asyncio.get_running_loop().time() < end:
            self.check()
            if answer := await ask():
                return answer
            await asyncio.sleep(POLL_S)
        raise CtlError(f"after {within_s:g} s it is still not so that {what}{tail(log)}")

    def check(self) -> None:
        """Raises CtlError when a child has ended, or the client broke."""
        for child in self._children:
            child.check()
        for task in self._tasks:
            if task.done():
                task.result()

    async def stay(self) -> None:
        """Returns never. Raises CtlError when a child has ended."""
        while True:
            self.check()
            await asyncio.sleep(0.5)

    async def close(self) -> None:
        """Ends what was started, the newest first, and removes the folder."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for child in self._children[:0:-1]:
            await child.stop()
        await end_launched(self._register)
        for child in self._children[:1]:
            await child.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _start_aggregator(self) -> str:
        config = self._write("aggregator.toml", aggregator_config(self.folder))
        child = await Child.start("guardian-aggregator", self.folder, "run", "--config", str(config))
        self._children.append(child)

        async def listening() -> re.Match[str] | None:
            return _LISTENING.search(child.log.read_text(errors="replace"))

        found = await self.until(listening, "the aggregator listens", START_WITHIN_S, log=child.log)
        self.url = f"http://{found[2]}"
        return found[1]

    async def _answers(self) -> bool:
        return self.client.good_since is not None

    @property
    def _component_log(self) -> Path:
        return self._register.with_suffix(".log")

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path


async def all_well(api: Client) -> bool:
    """Whether the agent is connected, and every probe of the component has told that all is good."""
    hosts = (await api.get("/api/guardian/hosts")).data["hosts"]
    layers = {layer["name"]: layer for layer in (await api.get("/api/guardian/osi")).data["layers"]}
    seen = all(layers[name]["conditions"]["ok"] >= count for name, count in PROBES.items())
    failing = [each["target"] for layer in layers.values() for each in layer["failing_conditions"]]
    return seen and COMPONENT not in failing and any(host["connected"] for host in hosts)


def free_port() -> int:
    """A port on which nobody listens."""
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise CtlError(f"no free port was found between {PORTS[0]} and {PORTS[-1]}")


def aggregator_config(folder: Path) -> str:
    """Free ports on loopback, everything else in the folder."""
    return f"""\
[aggregator]
state_dir = {_toml(folder / "aggregator")}
[grpc]
listen = "127.0.0.1:0"
insecure = true
[http]
listen = "127.0.0.1:0"
"""


def agent_config(folder: Path, grpc: str, port: int) -> str:
    """An agent that heals one component; nothing of it reads or writes outside of the folder."""
    command = [sys.executable, "-I", server.__file__, "127.0.0.1", str(port)]
    return f"""\
[agent]
id = "{HOST}"
state_dir = {_toml(folder / "agent")}
socket = {_toml(folder / "agent.sock")}
hold_file = {_toml(folder / "hold")}
mode = "heal"
actions_per_hour = 1000
host_probes = false
[aggregator]
address = "{grpc}"
insecure = true
[[component]]
name = "{COMPONENT}"
command = [{", ".join(map(_toml, command))}]
listen = "tcp:127.0.0.1:{port}"
health = {{ http = "http://127.0.0.1:{port}/", timeout_s = {HEALTH_TIMEOUT_S}, interval_s = {HEALTH_INTERVAL_S} }}
"""


def _toml(value: object) -> str:
    """A TOML basic string; what JSON escapes, TOML escapes alike (but for DEL, which no path here has)."""
    return json.dumps(str(value), ensure_ascii=False)
