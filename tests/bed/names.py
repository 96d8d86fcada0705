"""The fleet's name server, in the router: it knows `NAME.bed` for every host, and asks nobody else."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bed.commands import run
from tests.bed.host import inside
from tests.bed.router import AGENTS, HUB, Router
from tests.bed.runs import Run, kill_all

DOMAIN = "bed"


@dataclass(frozen=True)
class NameServer:
    """One dnsmasq on both of the router's addresses. `addresses`: what it answers, by the hosts' names.

    It lives in a cgroup of its own, which stands for its process: within the run's, so that it ends with the run.
    """

    run: Run
    addresses: Mapping[str, str]

    @property
    def _cgroup(self) -> Path:
        return self.run.cgroups("router.names")[0]  # no host can have a dot in its name

    async def start(self) -> None:
        """Starts it anew, whatever became of it; it answers when this returns. Raises CommandError."""
        await self.stop()
        self._cgroup.mkdir(parents=True, exist_ok=True)
        self.thaw()
        argv = ["dnsmasq", "--conf-file=/dev/null", "--pid-file=", f"--log-facility={self.run.logs / 'names.log'}"]
        argv += ["--user=root", "--no-hosts", "--no-resolv", "--no-poll", f"--local=/{DOMAIN}/", "--bind-interfaces"]
        argv += ["--except-interface=lo", *(f"--listen-address={side.gateway}" for side in (AGENTS, HUB))]
        argv += [f"--host-record={name}.{DOMAIN},{address}" for name, address in self.addresses.items()]
        (await run(*inside(self._cgroup), *Router(self.run.netns).entered(*argv), shown=argv)).check()

    async def stop(self) -> None:
        """Kills it: its address is there, and nothing listens. Safe to repeat."""
        await kill_all(self._cgroup)

    def freeze(self) -> None:
        """Stops it in its tracks, as SIGSTOP does: questions are taken and not answered."""
        (self._cgroup / "cgroup.freeze").write_text("1")

    def thaw(self) -> None:
        """Lets it go on; safe to repeat."""
        (self._cgroup / "cgroup.freeze").write_text("0")
