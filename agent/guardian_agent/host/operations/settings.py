"""Changes to settings of the kernel."""

import re

from guardian_agent.host.operations.base import Change

LOCAL_PORTS = "net.ipv4.ip_local_port_range"
USUAL_PORTS = (32768, 60999)  # the kernel's own (ip-sysctl)

_NAME = re.compile(r"[a-z0-9_]+(\.[A-Za-z0-9_-]+)+")
_RANGE = re.compile(r"\s*([0-9]{1,5})\s+([0-9]{1,5})\s*", re.ASCII)


def sysctl_path(name: str) -> str:
    """Where the kernel has a setting (proc(5), /proc/sys). Raises ValueError for what is no name of one."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a kernel setting")
    return f"/proc/sys/{name.replace('.', '/')}"


def with_usual_ports(said: str) -> str:
    """A range of local ports with all that are usual in it, too. Raises ValueError for what is no range."""
    found = _RANGE.fullmatch(said)
    if not found:
        raise ValueError(f"{LOCAL_PORTS} is {said!r}")
    low, high = map(int, found.groups())
    return f"{min(low, USUAL_PORTS[0])} {max(high, USUAL_PORTS[1])}"


class WriteSysctl(Change, frozen=True, tag=True):
    """Sets a kernel setting until the next boot; root keeps in mind what it was."""

    name: str
    value: str

    def describe(self) -> str:
        return f"sysctl -w {self.name}={self.value!r}"


class ResetSysctl(Change, frozen=True, tag=True):
    """Puts a kernel setting back to what root saw before the last `WriteSysctl` on this boot. Where there was none, or
    somebody has set it since, there is nothing to do."""

    name: str

    def describe(self) -> str:
        return f"sysctl -w {self.name}=… as it was before"


SettingOperation = WriteSysctl | ResetSysctl
