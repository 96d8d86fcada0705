"""Whom does Guardian never end, whichever port it holds?"""

from collections.abc import Collection

from guardian_agent.host.questions import PortHolder

# Beside what the operator protects: what the host is managed by, and what one needs to get in.
SPARED_UNITS = ("init.scope", "dbus.service", "dbus-broker.service", "polkit.service", "ssh.service", "sshd.service")
SPARED_PROGRAMS = ("sshd", "systemd", "init")
SPARED_BEGINNINGS = ("systemd-", "guardian-", "sshd-")


def why_spared(holder: PortHolder, untouchable: Collection[str]) -> str:
    """Why this process may not be ended for the sake of a port; empty when it may.

    `untouchable`: the units that are protected, and those of the components, by systemd's own names.
    """
    if holder.pid <= 1:
        return "it is pid 1"
    if not holder.program:
        return "it is a thread of the kernel, or cannot be told from one"
    if holder.unit in SPARED_UNITS or holder.unit.startswith(SPARED_BEGINNINGS):
        return f"{holder.unit} is never touched"
    if holder.unit in untouchable:
        return f"{holder.unit} is protected, or another component's"
    for name in (holder.name, holder.program.rpartition("/")[2]):
        if name in SPARED_PROGRAMS or name.startswith(SPARED_BEGINNINGS):
            return f"{name} is never touched"
    return ""


def is_own_unit(holder: PortHolder) -> bool:
    """Whether the process runs in a service of the system's manager, which can be stopped as a whole. A user's manager
    is one of those services too, and all that the user runs is in it."""
    return holder.unit.endswith(".service") and not holder.unit.startswith("user@")
