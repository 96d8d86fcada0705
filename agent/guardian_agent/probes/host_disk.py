"""Host: is there room left on every disk, and can it be written to?"""

from typing import Annotated, Any, ClassVar, Self

import msgspec

from guardian_agent.host import FileSystem, Host
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe

MIB = 1 << 20
FLOOR_BYTES = 64 * MIB  # not much less than a log, a package or a database's next segment needs
FLOOR_FROM_BYTES = 2048 * MIB  # a smaller file system (/boot, a small tmpfs) is often full on purpose, but for 2 %
ENOUGH_BYTES = 4096 * MIB  # 2 % of a big disk is room for days

Worst = tuple[float, str, FileSystem]  # how bad (less is worse), the issue type, where


class HostDisk(Probe, frozen=True, kw_only=True):
    """Failing while a file system cannot be written to that could be before (`disk_read_only`), or next to nothing is
    left of its space (`disk_full`) or of its inodes (`inode_exhausted`).

    What counts is what is left to those who are not root. One that was never seen writable may well be read-only.
    """

    layer: ClassVar = Layer.HOST
    issue_types: ClassVar = ("disk_full", "inode_exhausted", "disk_read_only")
    reads_kernel_state: ClassVar = True
    schedule: ClassVar = Schedule(interval_s=5.0, confirm_interval_s=0.1)
    options: ClassVar = ("least_available_percent", "ignore")

    least_available_percent: Annotated[float, msgspec.Meta(ge=0, le=50)] = 2.0
    ignore: tuple[str, ...] = ()  # mount points that are not judged

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls()

    async def look(self, host: Host) -> Reading:
        found = [each for each in await host.files.file_systems() if each.mount not in self.ignore]
        writable = host.known.good.file_systems
        complaints = [
            complaint for each in found if (complaint := self._complaint(each, writable.get(each.mount, False)))
        ]
        if complaints:
            worst = min(complaints, key=lambda complaint: complaint[:2])
            others = sorted({each.mount for _, _, each in complaints} - {worst[2].mount})
            evidence = _evidence(worst[2]) | ({"also": ", ".join(others)} if others else {})
            return Reading(ok=False, issue_type=worst[1], evidence=evidence)
        if not found:
            return Reading(ok=True, evidence={"file_systems": 0})
        fullest = min(found, key=lambda each: 100.0 if each.read_only else _percent(each))
        return Reading(ok=True, evidence=_evidence(fullest) | {"file_systems": len(found)})

    def _complaint(self, each: FileSystem, was_writable: bool) -> Worst | None:
        if each.read_only:
            return (0.0, "disk_read_only", each) if was_writable or each.forced_read_only else None
        if each.available_bytes < self._least_bytes(each.size_bytes):
            return (1.0 + _percent(each), "disk_full", each)
        if each.inodes and each.inodes_available * 100 < self.least_available_percent * each.inodes:
            return (1.0 + each.inodes_available * 100 / each.inodes, "inode_exhausted", each)
        return None

    def _least_bytes(self, size_bytes: int) -> float:
        share = size_bytes * self.least_available_percent / 100
        floor = FLOOR_BYTES if size_bytes >= FLOOR_FROM_BYTES else 0
        return min(max(share, floor), ENOUGH_BYTES)


def _percent(each: FileSystem) -> float:
    return 100 * each.available_bytes / each.size_bytes


def _evidence(each: FileSystem) -> dict[str, Any]:
    return {
        "mount": each.mount,
        "kind": each.kind,
        "read_only": each.read_only,
        "available_mib": round(each.available_bytes / MIB, 1),
        "available_percent": round(_percent(each), 1),
        "inodes_available": each.inodes_available if each.inodes else None,
    }
