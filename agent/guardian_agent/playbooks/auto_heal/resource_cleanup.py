"""Makes room on a full file system: what is old and may go by the operator's word, and nothing that is in use."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar

import msgspec

from guardian_agent.errors import CannotPlanError, ProbeError
from guardian_agent.host import FileSystem, Host
from guardian_agent.host.operations import CompressFile, DecompressFile, DeleteFiles, RestartUnit, VacuumJournal
from guardian_agent.host.operations.cleanup import (
    MOST_COMPRESSED_BYTES,
    MOST_FILES,
    SeenFile,
    is_rotated_log,
    too_broad,
)
from guardian_agent.host.questions import FoundRemovable, HeldFile, ListCleaned, ListHeldFiles, ListRemovable
from guardian_agent.model import Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step

SHRINKS_TO = 0.2  # of a log, when it is compressed: ten times is usual, five is safe to count on
MOST_COMPRESSED = 50  # each is a step
WORTH_A_RESTART = 0.1  # of what is missing: less held by a deleted file is no reason
MANIFEST = 200  # files named in the evidence

Found = tuple[str, SeenFile]  # the folder, and the file below it
Allowed = Annotated[str, msgspec.Meta(extra={"wrong": too_broad})]


class ResourceCleanup(Playbook, frozen=True, kw_only=True):
    """Vacuums the journal, compresses rotated logs and deletes old files of the folders that the operator allows.

    Oldest first, and only until there is room again. What is open, young, a link, on another mount or changed since it
    was planned stays.
    """

    heals: ClassVar = ("disk_full", "inode_exhausted")
    tier: ClassVar = Tier.AUTOMATIC

    allow: tuple[Allowed, ...] = ("/var/log", "/var/cache/apt/archives")
    names: tuple[str, ...] = (
        *("*.gz", "*.bz2", "*.xz", "*.zst", "*.old", "*.[0-9]", "*.[0-9][0-9]", "*.log.*", "*.log-*"),
        *("*.deb", "core", "core.*", "*.dump", "*.tmp"),
    )
    min_age_s: Annotated[float, msgspec.Meta(ge=0)] = 86_400.0
    target_free_ratio: Annotated[float, msgspec.Meta(gt=0, le=0.9)] = 0.15  # of its size, and of its inodes
    journal_keep_bytes: Annotated[int, msgspec.Meta(ge=1 << 20)] = 100 << 20

    async def plan(self, situation: Situation, host: Host) -> Plan:
        self._check()
        full = await self._file_system(situation, host)
        folders, names = tuple(dict.fromkeys(self.allow)), tuple(dict.fromkeys(self.names))
        asked = ListRemovable(full.mount, folders, names, self.min_age_s)
        found = await host.ask(asked)
        held = await _held(host, full.mount)
        room = _Room(full, self.target_free_ratio, by_inodes=situation.incident.issue_type == "inode_exhausted")
        steps = [*self._steps(found, room), *_restarts(held, situation, room)]
        if not steps:
            raise CannotPlanError(f"nothing on {full.mount} may go: {_why_not(found, held)}")
        return Plan(*steps, findings=_findings(full, room, steps, held, found))

    async def evidence_after(self, situation: Situation, host: Host) -> dict[str, Any]:
        full = await self._file_system(situation, host)
        after = {"available_bytes_after": full.available_bytes, "inodes_available_after": full.inodes_available}
        return after | await _cleaned(situation, host)

    def _check(self) -> None:
        for folder in self.allow:
            if why := too_broad(folder):
                raise CannotPlanError(f"playbooks.resource_cleanup.allow: {why}")

    async def _file_system(self, situation: Situation, host: Host) -> FileSystem:
        mount = situation.incident.evidence.get("mount")
        for each in await host.files.file_systems():
            if each.mount == mount:
                return each
        raise CannotPlanError(f"no file system is mounted at {mount!r} any more" if mount else "no disk is named full")

    def _steps(self, found: FoundRemovable, room: "_Room") -> list[Step]:
        files: list[Found] = [(each.folder, file) for each in found.folders for file in each.files]
        files.sort(key=lambda one: one[1].modified_wall_ns)
        rotated = [] if room.by_inodes else [one for one in files if _is_compressible(one[1])][:MOST_COMPRESSED]
        journal = max(0, found.journal_bytes - self.journal_keep_bytes) if not room.by_inodes else 0
        rest = [one for one in files if one not in rotated]
        gain = journal + sum((1 - SHRINKS_TO) * file.allocated_bytes for _, file in rotated)
        if gain + sum(file.allocated_bytes for _, file in rest) < room.missing:
            rotated, rest, gain = [], files, journal  # compressing is not enough
        steps = [
            Step(CompressFile(folder, file, self.min_age_s), undo=DecompressFile(folder, file.path))
            for folder, file in rotated
        ]
        if journal:
            steps.append(Step(VacuumJournal(self.journal_keep_bytes)))
        return [*steps, *self._deletions(room.oldest_of(rest, gain))]

    def _deletions(self, chosen: Iterable[Found]) -> list[Step]:
        by_folder: dict[str, list[SeenFile]] = {}
        for folder, file in chosen:
            by_folder.setdefault(folder, []).append(file)
        return [
            Step(DeleteFiles(folder, tuple(files[at : at + MOST_FILES]), self.min_age_s))
            for folder, files in by_folder.items()
            for at in range(0, len(files), MOST_FILES)
        ]


def _is_compressible(file: SeenFile) -> bool:
    return is_rotated_log(file.path) and file.size_bytes <= MOST_COMPRESSED_BYTES


async def _cleaned(situation: Situation, host: Host) -> dict[str, Any]:
    """What really went, as root saw it: a file that changed after it was planned was spared."""
    incident = situation.incident
    since = incident.action_started_at or incident.first_bad_at
    try:
        told = await host.ask(ListCleaned(since.wall_ns))
    except ProbeError as error:
        return {"deleted_unknown": str(error)}
    deleted = [f"{one.folder}/{path}" for one in told for path in one.deleted]
    spared = {f"{one.folder}/{file.path}": file.why for one in told for file in one.spared}
    return {
        "deleted_count": len(deleted),
        "deleted_bytes": sum(one.deleted_bytes for one in told),
        "deleted": deleted[:MANIFEST],
        "spared_count": len(spared),
        "spared": dict(list(spared.items())[:MANIFEST]),
    }


class _Room:
    """How much room is missing on a file system, in bytes or in inodes."""

    def __init__(self, full: FileSystem, ratio: float, *, by_inodes: bool) -> None:
        self.by_inodes = by_inodes
        whole, left = (full.inodes, full.inodes_available) if by_inodes else (full.size_bytes, full.available_bytes)
        self.missing = max(0.0, ratio * whole - left)

    def oldest_of(self, files: Iterable[Found], gain: float) -> list[Found]:
        """So many of the files, which are oldest first, that with `gain` nothing is missing any more."""
        chosen = []
        for folder, file in files:
            if gain >= self.missing:
                break
            if not self.by_inodes and file.allocated_bytes == 0:
                continue
            gain += 1 if self.by_inodes else file.allocated_bytes
            chosen.append((folder, file))
        return chosen


async def _held(host: Host, mount: str) -> tuple[HeldFile, ...]:
    try:
        return await host.ask(ListHeldFiles(mount))
    except ProbeError:  # beside the point where files can go
        return ()


def _restarts(held: Iterable[HeldFile], situation: Situation, room: _Room) -> list[Step]:
    """For the components that hold much of what is missing in files that nobody can see any more."""
    if room.by_inodes:
        return []
    mine = {component.unit for component in situation.components if component.unit} - situation.protected
    by_unit: dict[str, int] = {}
    for file in held:
        by_unit[file.unit] = by_unit.get(file.unit, 0) + file.allocated_bytes
    worth = WORTH_A_RESTART * room.missing
    return [Step(RestartUnit(unit)) for unit, size in by_unit.items() if unit in mine and size >= worth]


def _why_not(found: FoundRemovable, held: tuple[HeldFile, ...]) -> str:
    reasons = ["no file of the allowed folders there is old enough and has one of the names"]
    if found.spared_open:
        reasons.append(f"{found.spared_open} that could go are open")
    if held:
        first = held[0]
        who = first.unit or f"process {first.pid} ({first.program})"
        reasons.append(f"{first.allocated_bytes} bytes are held by {who} in {first.name}, which was deleted")
    return "; ".join(reasons)


def _findings(
    full: FileSystem, room: _Room, steps: list[Step], held: tuple[HeldFile, ...], found: FoundRemovable
) -> dict[str, Any]:
    """The manifest: all that is to be done, and why. What really went is told afterwards."""
    deleted = [(step.do.folder, file) for step in steps if isinstance(step.do, DeleteFiles) for file in step.do.files]
    packed = [f"{step.do.folder}/{step.do.file.path}" for step in steps if isinstance(step.do, CompressFile)]
    return {
        "mount": full.mount,
        "missing": f"{room.missing:.0f} {'inodes' if room.by_inodes else 'bytes'}",
        "available_bytes": full.available_bytes,
        "inodes_available": full.inodes_available,
        "journal_bytes": found.journal_bytes,
        "spared_open": found.spared_open,
        "to_compress": packed,
        "to_delete_count": len(deleted),
        "to_delete_bytes": sum(file.allocated_bytes for _, file in deleted),
        "to_delete": [f"{folder}/{file.path}" for folder, file in deleted[:MANIFEST]],
        "held_deleted": [msgspec.to_builtins(file) for file in held[:10]],
    }
