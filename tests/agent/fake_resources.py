"""What a fake host has to share out: room on a disk, and what its units may take."""

from collections.abc import Callable

import msgspec

from guardian_agent.host import FileSystem, UnitLimits, UnitLoad
from guardian_agent.host.operations import (
    CompressFile,
    DecompressFile,
    DeleteFiles,
    ResetUnitLimit,
    SetUnitLimit,
    VacuumJournal,
)
from guardian_agent.host.operations.cleanup import SeenFile
from guardian_agent.host.operations.limits import NO_LIMIT
from guardian_agent.host.questions import (
    Cleaned,
    FoundRemovable,
    HeldFile,
    ListCleaned,
    ListHeldFiles,
    ListRemovable,
    Removable,
    Spared,
)

FOLDER = "/srv/data/old"
USUAL = {"CPUWeight": NO_LIMIT, "IOWeight": NO_LIMIT, "MemoryHigh": NO_LIMIT, "TasksMax": 4915}


def old_file(path: str, size_bytes: int, age: int) -> SeenFile:
    return SeenFile(
        path=path,
        device=1,
        inode=1000 + age,
        size_bytes=size_bytes,
        allocated_bytes=size_bytes,
        modified_wall_ns=(1_000_000 - age) * 10**9,
    )


class FakeDisk:
    """One file system at /srv/data, of 1000 bytes and 100 inodes, full of what the files take."""

    def __init__(self, mounted: Callable[[], list[FileSystem]]) -> None:
        self._mounted = mounted
        self.files: dict[str, SeenFile] = {}
        self.held: list[HeldFile] = []
        self.cleaned: list[Cleaned] = []
        self.in_use: set[str] = set()  # since they were planned
        self.journal_bytes = 0
        self.spared_open = 0

    def add(self, path: str, size_bytes: int, age: int) -> None:
        self.files[path] = old_file(path, size_bytes, age)

    def mount(self, *, left_bytes: int = 0, left_inodes: int = 50) -> None:
        self._mounted().append(
            FileSystem(
                mount="/srv/data", kind="ext4", read_only=False, size_bytes=1000, available_bytes=left_bytes,
                inodes=100, inodes_available=left_inodes,
            )
        )  # fmt: skip

    def removable(self, question: ListRemovable) -> FoundRemovable:
        files = tuple(sorted(self.files.values(), key=lambda file: file.modified_wall_ns))
        folders = (Removable(folder=FOLDER, files=files),) if files and FOLDER in question.folders else ()
        return FoundRemovable(folders=folders, journal_bytes=self.journal_bytes, spared_open=self.spared_open)

    def held_files(self, _: ListHeldFiles) -> tuple[HeldFile, ...]:
        return tuple(self.held)

    def told_cleaned(self, _: ListCleaned) -> tuple[Cleaned, ...]:
        return tuple(self.cleaned)

    def apply(self, operation: DeleteFiles | CompressFile | DecompressFile | VacuumJournal) -> None:
        match operation:
            case DeleteFiles(files=files):
                gone = [file for file in files if file.path in self.files and file.path not in self.in_use]
                for file in gone:
                    del self.files[file.path]
                size = sum(file.allocated_bytes for file in gone)
                self._free(size, len(gone))
                spared = tuple(Spared(file.path, "is open") for file in files if file.path in self.in_use)
                deleted = tuple(file.path for file in gone)
                told = Cleaned(at_wall_ns=0, folder=FOLDER, deleted=deleted, deleted_bytes=size, spared=spared)
                self.cleaned.append(told)
            case CompressFile(file=file):
                if self.files.pop(file.path, None):
                    packed = file.allocated_bytes // 5
                    self.files[f"{file.path}.gz"] = msgspec.structs.replace(
                        file, path=f"{file.path}.gz", allocated_bytes=packed
                    )
                    self._free(file.allocated_bytes - packed, 0)
            case DecompressFile(path=path):
                if packed_file := self.files.pop(f"{path}.gz", None):
                    plain = packed_file.size_bytes
                    self.files[path] = msgspec.structs.replace(packed_file, path=path, allocated_bytes=plain)
                    self._free(packed_file.allocated_bytes - plain, 0)
            case VacuumJournal(keep_bytes=keep_bytes):
                self._free(max(0, self.journal_bytes - keep_bytes), 0)
                self.journal_bytes = min(self.journal_bytes, keep_bytes)

    def _free(self, size_bytes: int, inodes: int) -> None:
        mounted = self._mounted()
        if (at := next((at for at, each in enumerate(mounted) if each.mount == "/srv/data"), None)) is not None:
            mounted[at] = msgspec.structs.replace(
                mounted[at],
                available_bytes=mounted[at].available_bytes + size_bytes,
                inodes_available=mounted[at].inodes_available + inodes,
            )


class FakeShares:
    """What units may take, by unit; what is not there is as usual."""

    def __init__(self) -> None:
        self.by_unit: dict[str, UnitLimits] = {}
        self._before: dict[tuple[str, str], UnitLimits] = {}  # as root keeps it in mind

    def of(self, unit: str) -> UnitLimits:
        return self.by_unit.get(unit, UnitLimits(values=USUAL, default_tasks_max=4915))

    def set(self, unit: str, *until_boot: str, **values: int) -> None:
        now = self.of(unit)
        self.by_unit[unit] = msgspec.structs.replace(
            now, values={**now.values, **values}, set_until_boot=now.set_until_boot | set(until_boot)
        )

    def apply(self, operation: SetUnitLimit | ResetUnitLimit) -> int:
        """Carries it out; what the property is then."""
        unit, name = operation.unit, operation.name
        if isinstance(operation, SetUnitLimit):
            if self.of(unit).values[name] != operation.value:
                self._before[unit, name] = self.of(unit)
            self.set(unit, name, **{name: operation.value})
        elif before := self._before.pop((unit, name), None):
            self.set(unit, **{name: before.values[name]})
            if name not in before.set_until_boot:
                now = self.of(unit)
                self.by_unit[unit] = msgspec.structs.replace(now, set_until_boot=now.set_until_boot - {name})
            if self.by_unit[unit] == UnitLimits(values=USUAL, default_tasks_max=4915):
                del self.by_unit[unit]
        return self.of(unit).values[name]


def load(unit: str, cpu_s: float = 0.0, **what: int | float | bool | None) -> UnitLoad:
    """What a unit takes, its control group in system.slice."""
    return msgspec.convert({"unit": unit, "control_group": f"/system.slice/{unit}", "cpu_s": cpu_s, **what}, UnitLoad)
