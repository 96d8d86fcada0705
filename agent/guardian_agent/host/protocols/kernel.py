"""What does the kernel count, and how hard is everybody waiting for it?"""

from typing import Protocol, Self

import msgspec


class Pressure(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the time tasks stood still for want of a resource (PSI; Documentation/accounting/psi.rst)."""

    some_avg10: float  # per cent of the last ten seconds in which at least one task waited
    some_avg60: float
    full_avg10: float  # in which all of them did
    full_avg60: float
    some_total_s: float  # since boot


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """MemTotal and the like (proc(5) meminfo)."""

    total_bytes: int
    available_bytes: int
    swap_total_bytes: int
    swap_free_bytes: int


class Tasks(msgspec.Struct, frozen=True, kw_only=True):
    """The processes and threads of a control group and those below it (the pids controller)."""

    current: int
    limit: int | None  # None: as many as it likes
    refused: int  # how often one more was asked for and refused


class UnitLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What a service or scope takes of the machine, and waits for. None: this kernel does not tell."""

    unit: str
    control_group: str
    cpu_s: float  # of all processors together, since it began
    cpu_waited_percent: float | None = None  # of the last ten seconds
    cpu_low: bool = False  # told to wait for others: a weight below the usual one, a quota, it or what it is in
    memory_bytes: int | None = None
    io_bytes: int | None = None  # read and written, since it began
    tasks: int | None = None


class PressureEvents(Protocol):
    """The resource, `memory`, `cpu` or `io`, each time that its threshold is passed; `aclose` ends them."""

    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> str: ...
    async def aclose(self) -> None: ...


class Kernel(Protocol):
    """Counters and limits of this host's own view of the kernel. Each raises ProbeError when it cannot be told."""

    async def pressure(self, resource: str) -> Pressure:
        """`memory`, `cpu` or `io`: of this host's root control group where it has one of its own (a container's), else
        of the whole machine."""

    def pressure_events(self) -> PressureEvents:
        """When tasks begin to wait too long (PSI triggers, which without privileges look at windows of 2 s)."""

    async def memory(self) -> Memory: ...

    async def counters(self, protocol: str) -> dict[str, int]:
        """Of `Tcp`, `TcpExt`, `Ip`, `Udp` …, by the names in /proc/net/snmp and netstat."""

    async def sysctl(self, name: str) -> str | None:
        """Such as `net.ipv4.ip_local_port_range`; None when this kernel has no such setting."""

    async def tasks(self, control_group: str) -> Tasks | None:
        """Of a unit's control group; None when it is not there, or nobody counts (TasksAccounting=)."""

    async def unit_loads(self) -> tuple[UnitLoad, ...]:
        """Of every service and scope that runs; what lies below one counts as its own. Nothing at all where the control
        groups cannot be found."""

    async def processors(self) -> int:
        """How many this host may use."""

    async def clock_offset_s(self) -> float | None:
        """How far the clock is off by the kernel's own reckoning (adjtimex(2)); None when nobody disciplines it."""
