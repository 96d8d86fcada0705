"""Hosts and a hub that belong together: booted as one, gone as one."""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from tests.bed import image, inotify, lxcfs, product
from tests.bed.cache import Progress, ready
from tests.bed.host import Host
from tests.bed.machine import USUAL, Machine
from tests.bed.names import NameServer
from tests.bed.router import AGENTS, HUB, Router
from tests.bed.runs import Pid, Run, demolish, new_run, sweep

CHECKOUT = Path(__file__).resolve().parents[2]
HUB_NAME = "hub"
NAME = re.compile(r"[a-z][a-z0-9-]{0,11}")  # the kernel's limit of 15 for `vb-NAME`
FIRST_ADDRESS = IPv4Address("198.18.0.10")
HUB_ADDRESS = "198.19.0.10"
NGINX = ("nginx.service",)


def show(line: str) -> None:
    """Progress, on standard error."""
    print(f"bed: {line}", file=sys.stderr, flush=True)


def numbered(hosts: int) -> list[str]:
    """That many names: h1, h2 and so on."""
    return [f"h{number}" for number in range(1, hosts + 1)]


async def layers(checkout: Path = CHECKOUT, progress: Progress = show) -> list[Path]:
    """The layers a host stands on, topmost first, built where they are not in the cache."""
    base = await ready(image.base(), progress)
    dependencies = await ready(product.dependency_layer(checkout, base), progress)
    guardian = await ready(product.product_layer(checkout, [dependencies, base]), progress)
    return [guardian, dependencies, base]


@dataclass
class Fleet:
    """A run's hosts by name; the hub is one of them."""

    run: Run
    hosts: dict[str, Host]
    _lxcfs: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def hub(self) -> Host:
        return self.hosts[HUB_NAME]

    @property
    def agents(self) -> list[Host]:
        """All hosts but the hub."""
        return [host for host in self.hosts.values() if host.name != HUB_NAME]

    @property
    def names(self) -> NameServer:
        return NameServer(self.run, {host.name: host.address for host in self.hosts.values()})

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    @classmethod
    async def up(
        cls,
        *names: str | int,
        units: Sequence[str] = NGINX,
        machines: Mapping[str, Machine] | None = None,
        detached: bool = False,
        progress: Progress = show,
    ) -> "Fleet":
        """Boots a hub and one host for each name, with these units of the image enabled on the hosts.

        A number stands for that many names, `h1`, `h2` and so on. `machines`: what hosts are made of that are not as
        usual, by their names. The runs of dead owners are removed first. A fleet dies with the process that booted it,
        unless it is `detached`: then it stays until `down`.

        Raises:
            ValueError: a name is not short, lower case and unlike the others, or a machine is nobody's.
            CommandError, TimeoutError: it did not come up; nothing is left of it.
        """
        plan = [name for each in names for name in ([each] if isinstance(each, str) else numbered(each))]
        if len({*plan, HUB_NAME}) != len(plan) + 1 or not all(NAME.fullmatch(name) for name in plan):
            raise ValueError(f"names must differ, be at most 12 of a-z, 0-9 and '-', and not be {HUB_NAME!r}: {plan}")
        if nobodys := set(machines or ()) - {*plan, HUB_NAME}:
            raise ValueError(f"machines for hosts that there are not: {sorted(nobodys)}")
        for swept in await sweep():
            progress(f"removed what was left of run {swept.id}")
        fleet = cls._planned(new_run(), plan, await layers(progress=progress), units, machines or {})
        try:
            await fleet._boot(detached)
        except BaseException:
            await fleet.down()
            raise
        return fleet

    @classmethod
    @contextlib.asynccontextmanager
    async def booted(
        cls, *names: str | int, units: Sequence[str] = NGINX, machines: Mapping[str, Machine] | None = None
    ) -> AsyncIterator["Fleet"]:
        """A fleet for the length of a `with`."""
        fleet = await cls.up(*names, units=units, machines=machines)
        try:
            yield fleet
        finally:
            await fleet.down()

    @classmethod
    def _planned(
        cls,
        run: Run,
        names: Sequence[str],
        stack: Sequence[Path],
        units: Sequence[str],
        machines: Mapping[str, Machine],
    ) -> "Fleet":
        hosts = {HUB_NAME: Host(HUB_NAME, HUB_ADDRESS, HUB, run, stack, machine=machines.get(HUB_NAME, USUAL))}
        for number, name in enumerate(names):
            machine = machines.get(name, USUAL)
            hosts[name] = Host(name, str(FIRST_ADDRESS + number), AGENTS, run, stack, units, machine)
        return cls(run, hosts)

    async def _boot(self, detached: bool) -> None:
        self._save(None if detached else Pid.of(os.getpid()))
        inotify.raise_limit(len(self.hosts))
        _, self._lxcfs = await asyncio.gather(
            Router(self.run.netns).create(), lxcfs.serve(self.run, outlives_us=detached)
        )
        await self.names.start()
        addresses = {host.name: host.address for host in self.hosts.values()}
        for host in self.hosts.values():
            await host.prepare(addresses)
            host.start(outlives_us=detached)
        await asyncio.gather(*(host.wait_up() for host in self.hosts.values()))

    def _save(self, owner: Pid | None) -> None:
        def plain(host: Host) -> dict[str, object]:
            return {"address": host.address, "machine": asdict(host.machine), "layers": list(map(str, host.layers))}

        self.run.save(owner=owner, hosts={host.name: plain(host) for host in self.hosts.values()})

    @classmethod
    def attach(cls, run: Run) -> "Fleet":
        """A fleet that another process booted. Raises FileNotFoundError when there is no such run."""
        hosts = {}
        for name, facts in run.load()["hosts"].items():
            network, stack = (HUB if name == HUB_NAME else AGENTS), [Path(layer) for layer in facts["layers"]]
            hosts[name] = Host(name, facts["address"], network, run, stack, machine=Machine(**facts.get("machine", {})))
            hosts[name].attach()
        return cls(run, hosts)

    async def down(self) -> None:
        """Ends the fleet and removes everything of it. Safe to repeat."""
        await demolish(self.run)
        for host in self.hosts.values():
            host.running()  # reaps our child
        if self._lxcfs is not None:
            self._lxcfs.wait()
        inotify.put_back()
