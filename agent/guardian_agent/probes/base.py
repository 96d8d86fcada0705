"""The contract of a probe."""

from typing import ClassVar, Self

import msgspec

from guardian_agent.host import Host
from guardian_agent.model import Component, Layer, Reading, Schedule


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One question about one layer. A probe is a struct: its fields are its configuration.

    The id is the file's name. Intervals, limits, streaks and logging belong to the scheduler.
    """

    layer: ClassVar[Layer]
    issue_types: ClassVar[tuple[str, ...]]  # all that a bad reading may say; the first is the default
    schedule: ClassVar[Schedule] = Schedule()
    reads_kernel_state: ClassVar[bool] = False  # then a look costs microseconds, and confirming looks come every 5 ms

    @classmethod
    def probe_id(cls) -> str:
        return cls.__module__.rpartition(".")[2]

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        """This probe as it asks about `component`, or None when the component declares nothing it could ask about."""
        raise TypeError(f"{cls.__name__} is not about components: {component.name}, {schedule}")

    async def look(self, host: Host) -> Reading:
        """Looks once; changes nothing.

        Raises:
            ProbeError: it cannot tell; the reading is then unknown.
        """
        raise TypeError(f"{type(self).__name__} has no look for {host}")
