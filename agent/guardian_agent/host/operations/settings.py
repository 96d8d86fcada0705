"""Changes to settings of the kernel."""

import re

from guardian_agent.host.operations.base import Change

_NAME = re.compile(r"[a-z0-9_]+(\.[A-Za-z0-9_-]+)+")


def sysctl_path(name: str) -> str:
    """Where the kernel has a setting (proc(5), /proc/sys). Raises ValueError for what is no name of one."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a kernel setting")
    return f"/proc/sys/{name.replace('.', '/')}"


class WriteSysctl(Change, frozen=True, tag=True):
    """Sets a kernel setting until the next boot."""

    name: str
    value: str

    def describe(self) -> str:
        return f"sysctl -w {self.name}={self.value!r}"


SettingOperation = WriteSysctl
