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
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,200}\.(?:service|scope)")


def drop_in(name: str) -> str:
    """The file in which systemd keeps a property that was set until the next boot."""
    return f"50-{name}.conf"


def is_unit(unit: str) -> bool:
    """Whether it is the name of a service or a scope: nothing else is limited, slices least of all."""
    return _UNIT.fullmatch(unit) is not None


class SetUnitLimit(Change, frozen=True, tag=True):
    """Sets one resource property of a running unit until the next boot; the same value again is fine."""

    unit: str
    name: str
    value: int

    def describe(self) -> str:
        return f"systemctl set-property --runtime {self.unit} {self.name}={shown(self.value)}"


class ResetUnitLimit(Change, frozen=True, tag=True):
    """Puts a resource property back to what it was; without `was_set_before`, systemd's note of it goes too, so that
    the unit's own files say again what holds. A unit that is gone is fine."""

    unit: str
    name: str
    value: int
    was_set_before: bool  # until the next boot, by somebody else

    def describe(self) -> str:
        note = "" if self.was_set_before else f", and rm {self.unit}.d/{drop_in(self.name)}"
        return f"systemctl set-property --runtime {self.unit} {self.name}={shown(self.value)}{note}"


LimitOperation = SetUnitLimit | ResetUnitLimit


def shown(value: int) -> str:
    return "" if value == NO_LIMIT else str(value)
