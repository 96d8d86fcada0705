"""Changes to which release of a component is the current one."""

import shlex

from guardian_agent.host.operations.base import Change


class SwitchRelease(Change, frozen=True, tag=True):
    """Makes the link `current` say `target`, at once; an empty target: that there is no such link.

    What it leads to must lie in the folder of the releases, or not exist.
    """

    folder: str
    current: str
    target: str
    changed_wall_ns: int | None = None  # the link's time of change as it was; None: now

    def describe(self) -> str:
        current = shlex.quote(self.current)
        return f"ln -sfn {shlex.quote(self.target)} {current}" if self.target else f"rm -f {current}"


ReleaseOperation = SwitchRelease
