"""What can be told of systemd units?"""

from typing import Protocol, Self

import msgspec

from guardian_agent.host.operations import ReloadUnit, StartUnit, StopUnit
from guardian_agent.host.protocols.processes import ProcessState


class UnitState(msgspec.Struct, frozen=True, kw_only=True):
    """What systemd says of a unit at one moment (org.freedesktop.systemd1(5))."""

    unit: str
    load_state: str  # loaded, not-found, masked, …
    active_state: str  # active, reloading, inactive, failed, activating, deactivating
    sub_state: str = ""
    result: str = ""  # success, exit-code, signal, timeout, start-limit-hit, …
    job_id: int = 0  # 0: no job is pending
    job_type: str = ""  # start, stop, restart, … of the pending job; empty when there is none or it is already gone
    control_group: str = ""
    restarts: int = 0  # NRestarts: automatic restarts by systemd itself
    active_since_s: float = 0.0  # on the monotonic clock, which is the loop's; 0: never


class UnitLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a unit may take (systemd.resource-control(5)); 2**64 - 1 is systemd's infinity, and a weight not set."""

    values: dict[str, int]  # by systemd's name of the property, those that there are
    set_until_boot: frozenset[str] = frozenset()  # of those, what somebody set with `set-property --runtime`
    default_tasks_max: int = 0  # of a unit that says nothing; 0: not known


class UnitEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to a unit: a property changed, or a job was queued or finished. It never judges by itself."""

    unit: str
    kind: str  # "changed", "job_new", "job_removed"
    job_id: int = 0
    job_type: str = ""  # as far as it could still be read
    job_result: str = ""  # job_removed: done, canceled, timeout, failed, dependency, skipped
    ours: bool = False  # the job was queued by this agent
    missed: bool = False  # made up: something may have happened that was not told


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a service is started with, as systemd read it from the unit's files."""

    environment: tuple[str, ...] = ()  # NAME=VALUE, without what its EnvironmentFile= says
    command: tuple[str, ...] = ()  # the words of every ExecStart=, before variables are put in


class UnitEvents(Protocol):
    """Events as they come; `aclose` ends them."""

    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> UnitEvent: ...
    async def aclose(self) -> None: ...


class Units(Protocol):
    """systemd units, over D-Bus."""

    async def state(self, unit: str) -> UnitState:
        """The unit as it is now. A unit that does not exist has `load_state` "not-found". Raises ProbeError."""

    async def control_group(self, unit: str) -> str:
        """The unit's control group while it has one, else empty: less than a state, and as a rule not even a question
        to systemd. Raises ProbeError."""

    async def failed(self) -> list[str]:
        """The units that systemd holds for failed, by name. Raises ProbeError."""

    async def needs(self, unit: str) -> tuple[str, ...]:
        """The units that systemd stops this one with (Requires=, BindsTo=, PartOf=). Raises ProbeError."""

    async def triggers(self, unit: str) -> tuple[str, ...]:
        """The units that this one (a socket, a timer) starts when something comes. Raises ProbeError."""

    async def settings(self, unit: str) -> ServiceSettings:
        """What a service is started with; nothing for a unit of another type. Raises ProbeError."""

    async def limits(self, unit: str) -> UnitLimits:
        """What a unit may take of the machine. Raises ProbeError."""

    async def own_name(self, unit: str) -> str:
        """systemd's own name of a unit, which an alias is not; a name that no unit has stays. Raises ProbeError."""

    def events(self) -> UnitEvents:
        """Events of the watched units from now on, until the iterator is closed; reconnects to the bus by itself.

        After a reconnect one "changed" event per watched unit is made up, since some may have been missed.
        """

    def watch(self, unit: str) -> None:
        """From now on `events` tells of this unit."""

    async def cgroup_id(self, control_group: str) -> int | None:
        """The kernel's id of a unit's control group (inode of its cgroup v2 folder); None when there is none."""

    async def cgroup_ids_below(self, control_group: str) -> set[int]:
        """The ids of the groups below a unit's own (Delegate=), as many as are looked at."""

    async def processes(self, control_group: str) -> list[ProcessState]:
        """The processes of a unit's control group and of those below it, as many as are looked at."""


class UnitManager(Units, Protocol):
    """systemd, for whoever may have it do anything."""

    async def start(self, operation: StartUnit) -> None:
        """Starts a unit; returns when the job is done. Raises OperationError."""

    async def stop(self, operation: StopUnit) -> None:
        """Stops a unit; returns when the job is done. Raises OperationError."""

    async def reload(self, operation: ReloadUnit) -> None:
        """Reloads a unit, or restarts one that cannot be; returns when the job is done. Raises OperationError."""

    async def reload_manager(self) -> None:
        """Has systemd read all units' files again. Raises OperationError."""
