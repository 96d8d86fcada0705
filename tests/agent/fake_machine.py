"""Files and a kernel that are dictionaries: calm, and with room enough, until a test says otherwise."""

import asyncio
from hashlib import md5, sha256
from typing import Self

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import FileState, FileSystem, Memory, Pressure, Tasks, UnitLoad
from guardian_agent.host.operations import ResetSysctl, WriteSysctl

CALM = Pressure(some_avg10=0.0, some_avg60=0.0, full_avg10=0.0, full_avg60=0.0, some_total_s=0.0)
ROOT = FileSystem(
    mount="/", kind="ext4", read_only=False, size_bytes=10 << 30, available_bytes=6 << 30, inodes=655360,
    inodes_available=600000,
)  # fmt: skip


class FakeFiles:
    """Files by path: a `FileState`, and their content where a test reads it."""

    def __init__(self) -> None:
        self.states: dict[str, FileState] = {}
        self.contents: dict[str, str] = {
            "/etc/resolv.conf": "nameserver 198.18.0.1\n",
            "/etc/hosts": "127.0.0.1 localhost\n",
            "/proc/net/sockstat": "sockets: used 99\nTCP: inuse 9 orphan 0 tw 1 alloc 12 mem 1\n",
        }
        self.packaged: dict[str, str] = {}  # what packages say of their files: MD5 sums by path
        self.mounted = [ROOT]
        self.unreadable = ""

    async def state(self, path: str) -> FileState | None:
        self._read()
        return self.states.get(path)

    async def sha256(self, path: str) -> str:
        return sha256((await self.text(path)).encode()).hexdigest()

    async def md5(self, path: str) -> str:
        return md5((await self.text(path)).encode(), usedforsecurity=False).hexdigest()

    async def packaged_md5(self, path: str) -> str | None:
        self._read()
        return self.packaged.get(path)

    def put(self, path: str, content: str = "", *, modified_wall_s: float = 0.0) -> None:
        """A regular file, last written at that time of day."""
        self.contents[path] = content
        self.states[path] = FileState(
            kind="file",
            size_bytes=len(content),
            modified_wall_ns=int(modified_wall_s * 1e9),
            mode=0o644,
            uid=0,
            inode=1,
        )

    def link(self, path: str, target: str, *, modified_wall_s: float = 0.0) -> None:
        """A symbolic link, made at that time of day."""
        self.states[path] = FileState(
            kind="link", size_bytes=len(target), modified_wall_ns=int(modified_wall_s * 1e9), mode=0o777, uid=0,
            inode=1, target=target,
        )  # fmt: skip

    def remove(self, path: str) -> None:
        self.states.pop(path, None)
        self.contents.pop(path, None)

    async def text(self, path: str, limit_bytes: int = 65536) -> str:
        self._read()
        if path not in self.contents:
            raise ProbeError(f"{path}: No such file or directory")
        return self.contents[path][:limit_bytes]

    async def content(self, path: str, limit_bytes: int) -> bytes:
        self._read()
        if path not in self.contents:
            raise ProbeError(f"{path}: No such file or directory")
        return self.contents[path].encode("utf-8", "surrogateescape")

    async def file_systems(self) -> list[FileSystem]:
        self._read()
        return list(self.mounted)

    def _read(self) -> None:
        if self.unreadable:
            raise ProbeError(self.unreadable)


class FakePressureEvents:
    """Resources from its making on."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[str | None] = asyncio.Queue()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        if (resource := await self.queue.get()) is None:
            raise StopAsyncIteration
        return resource

    async def aclose(self) -> None:
        self.queue.put_nowait(None)


class FakeKernel:
    """Counters and limits in dictionaries."""

    def __init__(self) -> None:
        self.pressures: dict[str, Pressure] = dict.fromkeys(("memory", "cpu", "io"), CALM)
        self.counted: dict[str, dict[str, int]] = {"Tcp": {"OutSegs": 0, "RetransSegs": 0}, "TcpExt": {}}
        self.settings: dict[str, str] = {"net.ipv4.ip_local_port_range": "32768\t60999"}
        self._settings_before: dict[str, str] = {}  # as root keeps it in mind
        self.memory_now = Memory(total_bytes=8 << 30, available_bytes=6 << 30, swap_total_bytes=0, swap_free_bytes=0)
        self.offset_s: float | None = 0.0
        self.running: dict[str, Tasks] = {}  # by control group
        self.loads: list[UnitLoad] = []  # `cpu_s` and `io_bytes`: what is spent each second
        self.unreadable = ""
        self._listeners: list[FakePressureEvents] = []

    async def pressure(self, resource: str) -> Pressure:
        self._read()
        return self.pressures[resource]

    def pressure_events(self) -> FakePressureEvents:
        self._listeners.append(FakePressureEvents())
        return self._listeners[-1]

    async def memory(self) -> Memory:
        self._read()
        return self.memory_now

    async def counters(self, protocol: str) -> dict[str, int]:
        self._read()
        return self.counted.get(protocol, {})

    async def sysctl(self, name: str) -> str | None:
        self._read()
        return self.settings.get(name)

    async def tasks(self, control_group: str) -> Tasks | None:
        self._read()
        return self.running.get(control_group)

    async def unit_loads(self) -> tuple[UnitLoad, ...]:
        self._read()
        now_s = asyncio.get_running_loop().time()
        return tuple(
            msgspec.structs.replace(
                load,
                cpu_s=load.cpu_s * now_s,
                io_bytes=None if load.io_bytes is None else int(load.io_bytes * now_s),
            )
            for load in self.loads
        )

    def set(self, operation: WriteSysctl | ResetSysctl) -> None:
        """A setting is written or put back."""
        name = operation.name
        if isinstance(operation, WriteSysctl):
            if self.settings[name] != operation.value:
                self._settings_before[name] = self.settings[name]
            self.settings[name] = operation.value
        elif name in self._settings_before:
            self.settings[name] = self._settings_before.pop(name)

    def weigh(self, unit: str, weight: int) -> None:
        """A unit has another CPUWeight= now."""
        changed = [
            msgspec.structs.replace(load, cpu_low=weight < 100) if load.unit == unit else load for load in self.loads
        ]
        self.loads = changed

    async def processors(self) -> int:
        return 2

    async def clock_offset_s(self) -> float | None:
        self._read()
        return self.offset_s

    def emit(self, resource: str) -> None:
        for listener in self._listeners:
            listener.queue.put_nowait(resource)

    def _read(self) -> None:
        if self.unreadable:
            raise ProbeError(self.unreadable)
