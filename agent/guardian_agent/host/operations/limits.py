"""Changes to what a unit may take of processors, memory, disks and tasks."""

import re
from collections.abc import Mapping

from guardian_agent.host.operations.base import Change

NO_LIMIT = 2**64 - 1  # systemd's infinity, and a weight that is not set

# systemd's properties that are ever set, and the least and most of each (systemd.resource-control(5)).
BOUNDS: Mapping[str, tuple[int, int]] = {
    "CPUWeight": (1, 10_000),
    "IOWeight": (1, 10_000),
    "MemoryHigh": (16 << 20, NO_LIMIT - 1),
    "TasksMax": (16, 4_194_304),
}
LOWERED = frozenset({"CPUWeight", "IOWeight", "MemoryHigh"})  # never raised; any other is never lowered
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,200}\.(?:service|scope)")


def drop_in(name: str) -> str:
    """The file in which systemd keeps a property that was set until the next boot."""
    return f"50-{name}.conf"


def is_unit(unit: str) -> bool:
    """Whether it is the name of a service or a scope: nothing else is limited, slices least of all."""
    return _UNIT.fullmatch(unit) is not None


class SetUnitLimit(Change, frozen=True, tag=True):
    """Sets one resource property of a running unit until the next boot, in the direction of `LOWERED` from what it is;
    the same value again is fine. Root keeps in mind what it was."""

    unit: str
    name: str
    value: int

    def describe(self) -> str:
        return f"systemctl set-property --runtime {self.unit} {self.name}={shown(self.value)}"


class ResetUnitLimit(Change, frozen=True, tag=True):
    """Puts a resource property back to what root saw before the last `SetUnitLimit` on this boot. Where nobody had set
    it until the next boot, systemd's note of it goes too, so that the unit's own files say again what holds.

    Where there was no such change, or somebody has set it since, there is nothing to do; a unit that is gone is fine.
    """

    unit: str
    name: str

    def describe(self) -> str:
        return f"systemctl set-property --runtime {self.unit} {self.name}=… as it was before"


LimitOperation = SetUnitLimit | ResetUnitLimit


def shown(value: int) -> str:
    return "" if value == NO_LIMIT else str(value)
