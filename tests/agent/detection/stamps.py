"""Moments for tests that have no clock."""

from guardian_agent.model import Stamp


def at(seconds: float, boot_id: str = "boot-1") -> Stamp:
    """So many seconds after boot."""
    return Stamp(boot_id, int(seconds * 1e9), int((1_800_000_000 + seconds) * 1e9))
