"""What a host is made of: how much memory, which processors, how large a disk."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """The size of one host; None: as much as the machine has, shared with the others.

    `memory_mib`: beyond that many MiB a process of the host is killed. `cpus`: the processors it may use, as the kernel
    writes them (`0`, `0-1`). `disk_mib`: its disk in MiB, journal and all; at least 8.
    """

    memory_mib: int | None = 1024
    cpus: str | None = None
    disk_mib: int | None = None

    def limit(self, cgroups: Iterable[Path]) -> None:
        """Writes the limits into the host's new v1 cgroups."""
        for cgroup in cgroups:
            if self.memory_mib is not None and (limit := cgroup / "memory.limit_in_bytes").exists():
                limit.write_text(str(self.memory_mib << 20))
            if (cgroup / "cpuset.cpus").exists():
                for folder in (cgroup.parents[1], cgroup.parent, cgroup):
                    for file in ("cpuset.mems", "cpuset.cpus"):  # empty at first, and nobody may enter
                        (folder / file).write_text((folder.parent / file).read_text())
                if self.cpus is not None:
                    (cgroup / "cpuset.cpus").write_text(self.cpus)


USUAL = Machine()
