"""One look of one probe: what came of it, whatever it did?"""

import asyncio

import msgspec

from guardian_agent.errors import CannotLookError, ProbeError
from guardian_agent.host import Host
from guardian_agent.model import Reading, Stamp
from guardian_agent.probes import Probe

OVERRUN_S = 1.0  # past its own timeout a look is taken as hung, and cancelled


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look and what came of it; `reading` is None when it could not tell, and `unknown` says why."""

    at: Stamp  # when it began
    took_s: float = 0.0
    reading: Reading | None = None
    unknown: str = ""
    cannot: bool = False  # not even a look could be had: its program cannot be started, or the probe is broken
    bug: Exception | None = None  # what a broken probe raised

    @property
    def ok(self) -> bool | None:
        return self.reading.ok if self.reading else None


async def look_once(host: Host, probe: Probe, timeout_s: float) -> Look:
    """One look, outside of any condition; `timeout_s` is the probe's own limit. Whatever is raised is "unknown"."""
    at = host.clock.now()
    limit_s = timeout_s + OVERRUN_S
    try:
        async with asyncio.timeout(limit_s):
            return Look(at=at, reading=await probe.look(host))
    except ProbeError as error:
        return Look(at=at, unknown=str(error), cannot=isinstance(error, CannotLookError))
    except TimeoutError:
        return Look(at=at, unknown=f"the look did not end within {limit_s:g} s")
    except Exception as error:  # noqa: BLE001 - it is in the answer
        return Look(at=at, unknown=f"the probe is broken: {type(error).__name__}: {error}", cannot=True, bug=error)
