"""One run of the bed: its names, its owner, and how all of it is removed, also after its owner was killed.

Every name (network namespace, cgroups, folders) is derived from the run's id, and the run is recorded before anything
is made. So whoever finds the record can remove everything, whatever had been made by then.
"""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bed.commands import run

RUNS = Path("/run/guardian-bed")
SCRATCH = Path("/var/tmp/guardian-bed")  # on a disk: what hosts write must cost what it costs


def _cgroup_roots() -> tuple[Path, ...]:
    """The v2 hierarchy first, then the v1 hierarchies that systemd and lxcfs use beside it; empty without v2.

    A host is in each of them under the same name: lxcfs asks for the times of the processors by its name in cpuset.
    """
    base = Path("/sys/fs/cgroup")
    if (base / "cgroup.controllers").exists():
        return (base,)
    if not (base / "unified" / "cgroup.controllers").exists():
        return ()
    names = ("unified", "systemd", "memory", "pids", "cpu", "cpuacct", "cpuset")
    return tuple(base / name for name in names if (base / name).is_dir())


CGROUP_ROOTS = _cgroup_roots()


@dataclass(frozen=True)
class Pid:
    """A process, not to be mistaken for a later one of the same number: `started` is in clock ticks since boot."""

    number: int
    started: int

    @classmethod
    def of(cls, number: int) -> "Pid | None":
        """The process with this number now, or None when there is none, or only its zombie."""
        try:
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else cls(number, int(fields[19]))

    def alive(self) -> bool:
        return Pid.of(self.number) == self


@dataclass(frozen=True)
class Run:
    """The names of one run. `id` is a few hexadecimal digits."""

    id: str

    @property
    def record(self) -> Path:
        return RUNS / self.id / "run.json"

    @property
    def logs(self) -> Path:
        return RUNS / self.id

    @property
    def scratch(self) -> Path:
        return SCRATCH / self.id

    @property
    def netns(self) -> str:
        return f"bed-{self.id}"

    @property
    def view(self) -> Path:
        """Where lxcfs is mounted for this run."""
        return RUNS / self.id / "lxcfs"

    def cgroups(self, host: str = "") -> list[Path]:
        """This run's cgroups (or one host's), one in each hierarchy, the v2 one first."""
        return [root / "guardian-bed" / self.id / host for root in CGROUP_ROOTS]

    def save(self, *, owner: Pid | None, hosts: dict[str, Any]) -> None:
        """Writes the record at once or not at all. Without an owner nobody sweeps the run: it is ended by hand."""
        self.record.parent.mkdir(parents=True, exist_ok=True)
        known = {"owner": None if owner is None else [owner.number, owner.started], "hosts": hosts}
        new = self.record.with_suffix(".new")
        new.write_text(json.dumps(known, indent=1))
        new.rename(self.record)

    def load(self) -> dict[str, Any]:
        """What `save` wrote. Raises FileNotFoundError when there is no such run."""
        known: dict[str, Any] = json.loads(self.record.read_text())
        return known

    def abandoned(self) -> bool:
        """Whether its owner is dead; a record that never got written counts as abandoned after a minute."""
        try:
            owner = self.load()["owner"]
        except FileNotFoundError:
            with contextlib.suppress(FileNotFoundError):
                return time.time() - self.logs.stat().st_mtime > 60
            return False
        return owner is not None and not Pid(*owner).alive()


def new_run() -> Run:
    return Run(secrets.token_hex(3))


def known_runs() -> list[Run]:
    return [Run(folder.name) for folder in sorted(RUNS.iterdir()) if folder.is_dir()] if RUNS.is_dir() else []


async def sweep() -> list[Run]:
    """Removes every run whose owner is dead, and returns them."""
    swept = [run for run in known_runs() if run.abandoned()]
    for run_ in swept:
        await demolish(run_)
    return swept


async def demolish(gone: Run) -> None:
    """Kills all processes of a run, by its cgroup, and removes its network, mount, cgroups and folders. Safe to repeat.

    Raises:
        TimeoutError: a process outlived SIGKILL by ten seconds.
    """
    await kill_all(gone.cgroups()[0])
    if f"{gone.netns}\n" in (await run("ip", "netns", "list")).check().out.replace(" ", "\n"):
        (await run("ip", "netns", "delete", gone.netns)).check()
    await unmount(gone.view)
    for cgroup in gone.cgroups():
        remove_cgroups(cgroup)
        with contextlib.suppress(OSError):  # other runs are in it
            cgroup.parent.rmdir()
    for folder in (gone.scratch, gone.logs):
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.parent.rmdir()


def mounted(mountpoint: Path) -> bool:
    return f" {mountpoint} " in Path("/proc/self/mounts").read_text()


async def unmount(mountpoint: Path) -> None:
    """Ends what is mounted there, also when whoever served it is dead."""
    while mounted(mountpoint):
        (await run("umount", "--lazy", str(mountpoint))).check()


async def kill_all(cgroup: Path) -> None:
    """Kills every process below a v2 cgroup at one instant, and waits until they are gone.

    Raises:
        TimeoutError: a process outlived SIGKILL by ten seconds.
    """
    with contextlib.suppress(FileNotFoundError):
        (cgroup / "cgroup.kill").write_text("1")
        deadline = time.monotonic() + 10
        while "populated 1" in (cgroup / "cgroup.events").read_text():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{cgroup} still holds processes 10 s after SIGKILL")
            await asyncio.sleep(0.01)


def remove_cgroups(top: Path) -> None:
    """Removes an empty tree of cgroups, the innermost first."""
    for folder, _, _ in os.walk(top, topdown=False):
        with contextlib.suppress(OSError):  # a zombie's last moment: the next sweep gets it
            Path(folder).rmdir()
