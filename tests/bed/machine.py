"""What a host is made of: how large its disk is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """The size of one host.

    `disk_mib`: its disk in MiB, journal and all; None: the machine's disk, without a bound of its own. At least 8.
    """

    disk_mib: int | None = None


USUAL = Machine()
