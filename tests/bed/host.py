"""One host: a Debian with its own systemd, booted by systemd-nspawn, to be looked into and broken."""

import asyncio
import contextlib
import itertools
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path

from tests.bed import commands
from tests.bed.commands import CommandError, Finished
from tests.bed.disk import make_disk, take_power
from tests.bed.machine import USUAL, Machine
from tests.bed.router import Direction, Network, Router
from tests.bed.runs import Pid, Run, kill_all, remove_cgroups
from tests.bed.spawned import Spawned
from tests.bed.waiting import until

BOOT = Path(__file__).with_name("boot.sh")
BOOT_LIMIT_S = 60.0
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "SYSTEMD_PAGER": "",
}
# Nobody announces IPv6 here, and waiting for it costs 13 s at each boot.
ONLY_IPV4 = "LinkLocalAddressing=no\nIPv6AcceptRA=no\n"

# What is run in a host dies with it, and has its limits: it moves into the host's cgroups first.
ENTER = 'while [ "$1" != -- ]; do echo 0 >"$1" && shift || exit; done; shift; exec "$@"'


def inside(*cgroups: Path) -> list[str]:
    """The words before a command that is to run in these cgroups."""
    return ["/bin/sh", "-c", ENTER, "sh", *(str(cgroup / "cgroup.procs") for cgroup in cgroups), "--"]


class HostDownError(Exception):
    """The host is not running, so nothing can be done in it."""


@dataclass
class Host:
    """A host by its name, address and layers (topmost first); `units` are started at each boot."""

    name: str
    address: str
    network: Network
    run: Run
    layers: Sequence[Path]
    units: Sequence[str] = ()
    machine: Machine = USUAL
    supervisor: Pid | None = None
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def interface(self) -> str:
        """Its network interface as the router sees it; inside, it is `host0`."""
        return f"vb-{self.name}"

    @property
    def router(self) -> Router:
        return Router(self.run.netns)

    @property
    def scratch(self) -> Path:
        return self.run.scratch / self.name

    async def prepare(self, neighbours: Mapping[str, str]) -> None:
        """Lays the host's own files over the image. `neighbours`: the fleet's names and addresses, for /etc/hosts."""
        for folder in ("upper", "work", "root"):
            (self.scratch / folder).mkdir(parents=True)
        known = "".join(f"{address} {name}\n" for name, address in neighbours.items())
        address = f"Address={self.address}/{self.network.prefix_length}\nGateway={self.network.gateway}\n"
        files = {
            "etc/hostname": f"{self.name}\n",
            "etc/hosts": f"127.0.0.1 localhost\n{known}",
            "etc/resolv.conf": f"nameserver {self.network.gateway}\n",
            "etc/machine-id": f"{md5(self.name.encode(), usedforsecurity=False).hexdigest()}\n",
            "etc/systemd/network/10-host0.network": f"[Match]\nName=host0\n[Network]\n{address}{ONLY_IPV4}",
        }
        for path, text in files.items():
            file = self.scratch / "upper" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        wanted = self.scratch / "upper/etc/systemd/system/multi-user.target.wants"
        wanted.mkdir(parents=True, exist_ok=True)
        for unit in self.units:
            (wanted / unit).symlink_to(f"/usr/lib/systemd/system/{unit}")
        if self.machine.disk_mib is not None:
            await make_disk(self.scratch, self.machine.disk_mib)

    def start(self, *, outlives_us: bool = False) -> None:
        """Powers the host on; it is not up yet when this returns. With `outlives_us` it survives this process."""
        for cgroup in self._cgroups:
            remove_cgroups(cgroup)
            cgroup.mkdir(parents=True)
        self.machine.limit(self._cgroups)
        Path("/run/systemd/nspawn").mkdir(parents=True, exist_ok=True)
        layers = ":".join(map(str, self.layers))
        argv = [] if outlives_us else ["setpriv", "--pdeathsig", "TERM"]
        argv += ["nsenter", f"--net=/run/netns/{self.run.netns}", "unshare", "--mount", "/bin/bash", str(BOOT)]
        argv += [self.name, self.network.bridge, layers, str(self.scratch), str(self.run.view)]
        argv += map(str, self._cgroups)
        with (self.run.logs / f"{self.name}.console").open("ab") as console:
            self._child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=ENVIRONMENT, start_new_session=True
            )
        self.supervisor = Pid.of(self._child.pid)
        if self.supervisor is not None:
            self._supervisor_file.write_text(f"{self.supervisor.number} {self.supervisor.started}")

    @property
    def _cgroups(self) -> list[Path]:
        """The v2 one first."""
        return self.run.cgroups(self.name)

    @property
    def _supervisor_file(self) -> Path:
        return self.run.logs / f"{self.name}.supervisor"

    def attach(self) -> None:
        """Finds out by which process the host runs, when another process started it."""
        with contextlib.suppress(FileNotFoundError):
            number, started = self._supervisor_file.read_text().split()
            self.supervisor = Pid(int(number), int(started))

    def running(self) -> bool:
        """Whether the host is powered on (booting counts)."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None
        return self.supervisor is not None and self.supervisor.alive()

    def leader(self) -> int | None:
        """The outer pid of the host's pid 1, or None while there is none."""
        below = [self.supervisor.number] if self.supervisor is not None and self.running() else []
        while below:
            pid = below.pop()
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                status = Path(f"/proc/{pid}/status").read_text()
                inner = status.partition("\nNSpid:")[2].partition("\n")[0].split()
                if len(inner) > 1 and inner[-1] == "1":
                    return pid
                below += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return None

    async def wait_up(self, *, within_s: float = BOOT_LIMIT_S, unlike: str = "") -> None:
        """Waits until systemd has started everything, in a boot other than `unlike`.

        Raises:
            TimeoutError: it was not up in time; the end of its console is in the message.
        """

        async def up() -> bool:
            if not self.running():
                raise HostDownError(f"{self.name} went down while booting:\n{self.console()}")
            with contextlib.suppress(HostDownError, CommandError):
                state = await self.exec("systemctl", "is-system-running", "--wait", timeout_s=within_s)
                return state.out.strip() in ("running", "degraded") and await self.boot_id() != unlike
            return False

        try:
            await until(up, f"{self.name} is up", within_s=within_s)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.console()}") from None

    def _argv(self, argv: Sequence[str]) -> list[str]:
        if (leader := self.leader()) is None:
            raise HostDownError(f"{self.name} is not running")
        enter = ["nsenter", "-t", str(leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--", *argv]
        return self._dying_with_it(enter)

    def _dying_with_it(self, argv: Sequence[str]) -> list[str]:
        unified, *others = self._cgroups
        (unified / "bed").mkdir(exist_ok=True)
        into = [unified / "bed", *(other for other in others if "systemd" not in other.parts)]
        return [*inside(*into), *argv]

    async def exec(self, *argv: str, stdin: bytes = b"", timeout_s: float = 30.0) -> Finished:
        """Runs a program in the host as root, in a clean environment, and returns its code and output.

        Raises:
            HostDownError: the host is not running.
            CommandError: it was still running after `timeout_s` seconds.
        """
        shown = (f"{self.name}:", *argv)
        return await commands.run(*self._argv(argv), shown=shown, stdin=stdin, timeout_s=timeout_s, env=ENVIRONMENT)

    async def must(self, *argv: str, stdin: bytes = b"", timeout_s: float = 30.0) -> str:
        """Like `exec`, but returns the output and raises CommandError for any code but 0."""
        return (await self.exec(*argv, stdin=stdin, timeout_s=timeout_s)).check().out

    def spawn(self, *argv: str) -> Spawned:
        """Starts a long-running program in the host, its output going to a file outside."""
        return Spawned.start(self._argv(argv), ENVIRONMENT, self.run.logs, self.name)

    def spawn_in_router(self, *argv: str) -> Spawned:
        """The same in the router's network, with the machine's programs; it ends with the host."""
        enter = self._dying_with_it(["nsenter", f"--net=/run/netns/{self.run.netns}", "--", *argv])
        return Spawned.start(enter, ENVIRONMENT, self.run.logs, self.name, enters_a_host=False)

    async def write_file(self, path: str, content: str | bytes, *, mode: str = "0644", owner: str = "root") -> None:
        """Writes a file in the host, with the folders above it, replacing what was there."""
        data = content.encode() if isinstance(content, str) else content
        await self.must("install", "-D", "-m", mode, "-o", owner, "/dev/stdin", path, stdin=data)

    async def read_file(self, path: str) -> str:
        return await self.must("cat", "--", path)

    async def boot_id(self) -> str:
        return (await self.must("cat", "/proc/sys/kernel/random/boot_id")).strip()

    async def journal(self, unit: str | None = None, *, lines: int = 200, all_boots: bool = True) -> str:
        """The last lines of the journal, of one unit or of everything, with microseconds."""
        only = [*([] if all_boots else ["--boot"]), *([] if unit is None else [f"--unit={unit}"])]
        return await self.must("journalctl", "--no-pager", "--output=short-precise", f"--lines={lines}", *only)

    def console(self, *, characters: int = 2000) -> str:
        """The end of what systemd and nspawn printed."""
        file = self.run.logs / f"{self.name}.console"
        return file.read_text(errors="replace")[-characters:] if file.exists() else ""

    async def cut(self, direction: Direction = Direction.BOTH) -> None:
        """Cuts the host off: nothing gets in, out or both; its link stays up. Survives its reboot."""
        await self.router.cut(self.interface, direction)

    async def heal(self) -> None:
        """Ends all cuts; without one nothing happens."""
        await self.router.heal(self.interface)

    async def flap(self, times: int | None = None, *, down_s: float = 0.2, up_s: float = 0.5) -> None:
        """Takes the host's carrier and gives it back so many times, or until cancelled; in the end it has it."""
        try:
            for _ in itertools.count() if times is None else range(times):
                await self.router.carrier(self.interface, on=False)
                await asyncio.sleep(down_s)
                await self.router.carrier(self.interface, on=True)
                await asyncio.sleep(up_s)
        finally:
            await self.router.carrier(self.interface, on=True)

    @contextlib.asynccontextmanager
    async def flapping(self, *, down_s: float = 0.2, up_s: float = 0.5) -> AsyncIterator[None]:
        """The link goes down and up for the length of a `with`. Raises CommandError when it could not."""
        flaps = asyncio.create_task(self.flap(down_s=down_s, up_s=up_s))
        try:
            yield
        finally:
            flaps.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await flaps

    async def reboot(self, *, within_s: float = BOOT_LIMIT_S) -> None:
        """Reboots the host in order, and waits until it is up again. Raises TimeoutError when it is not."""
        before, leader = await self.boot_id(), self.leader()

        async def boots() -> bool:
            return self.leader() not in (None, leader)

        with contextlib.suppress(CommandError):  # it may be gone before systemctl has its answer
            await self.exec("systemctl", "reboot", timeout_s=within_s)
        # Nothing is asked inside meanwhile: the shutdown would wait ten seconds for whoever asks.
        await until(boots, f"{self.name} goes down and boots", within_s=within_s)
        await self.wait_up(within_s=within_s, unlike=before)

    async def lose_power(self) -> None:
        """Takes the power of a host with a disk of its own: what it had not synced is lost; `start` boots it again.

        Raises:
            HostDownError: it is not running.
            OSError: it has no disk of its own.
        """
        if self.supervisor is None or not self.running():
            raise HostDownError(f"{self.name} is not running")
        take_power(self.scratch, self.supervisor.number)
        await self.kill()

    async def kill(self) -> None:
        """Ends all of the host's processes at one instant. What was written stays; `start` boots it again."""
        await kill_all(self.run.cgroups(self.name)[0])

        async def down() -> bool:
            return not self.running()

        await until(down, f"{self.name} is down", within_s=10, every_s=0.01)
