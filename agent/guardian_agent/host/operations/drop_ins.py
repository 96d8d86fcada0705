"""Changes to what a unit is told beside its own file, until the next boot."""

import re

from guardian_agent.host.operations.base import Change

_UNIT = re.compile(r"(?!.*@\.)[A-Za-z0-9:_.\\@-]+\.(service|socket)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.conf")
FOLDER = "/run/systemd/system"


def drop_in_path(unit: str, name: str) -> str:
    """Where a drop-in lies (systemd.unit(5)). Raises ValueError for what is no name of a unit, or of a drop-in."""
    if not _UNIT.fullmatch(unit) or not _NAME.fullmatch(name):
        raise ValueError(f"{unit!r} and {name!r} are no names of a unit and its drop-in")
    return f"{FOLDER}/{unit}.d/{name}"


class WriteDropIn(Change, frozen=True, tag=True):
    """Writes a drop-in of a unit and has systemd read it. A unit that runs goes on as it was started."""

    unit: str
    name: str
    text: str

    def describe(self) -> str:
        said = "; ".join(line for line in self.text.splitlines() if line)
        return f"write {FOLDER}/{self.unit}.d/{self.name}: {said}; systemctl daemon-reload"


class RemoveDropIn(Change, frozen=True, tag=True):
    """Removes a drop-in of a unit and has systemd know; one that is gone is fine."""

    unit: str
    name: str

    def describe(self) -> str:
        return f"rm {FOLDER}/{self.unit}.d/{self.name}; systemctl daemon-reload"


DropInOperation = WriteDropIn | RemoveDropIn
