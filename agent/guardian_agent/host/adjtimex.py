"""What does the kernel itself think of its clock?"""

import os
from struct import Struct

from guardian_agent.errors import ProbeError

STA_UNSYNC, STA_NANO = 0x0040, 0x2000
TIME_ERROR = 5
TIMEX = Struct("@Illlli")  # struct timex: modes, offset, freq, maxerror, esterror, status …
ROOM_BYTES = 512  # it has about 200


def clock_offset_s() -> float | None:
    """The correction that is still to be made, in seconds (the kernel keeps no more than 0.5); None when nobody has
    disciplined the clock for long.

    Source: adjtimex(2); with `modes` 0 it only reads.

    Raises:
        ProbeError: it may not be asked (seccomp, ProtectClock=), or not from Python.
    """
    try:
        import ctypes  # half a megabyte, for the one thing that Python has no name for

        libc = ctypes.CDLL(None, use_errno=True)
        timex = ctypes.create_string_buffer(ROOM_BYTES)
        state: int = libc.adjtimex(timex)
        number = ctypes.get_errno()
    except (ImportError, AttributeError, OSError, MemoryError) as error:
        raise ProbeError(f"the kernel's clock cannot be asked: {error}") from error
    if state < 0:
        raise ProbeError(f"the kernel's clock cannot be asked: {os.strerror(number)}")
    _modes, offset, _frequency, _maxerror, _esterror, status = TIMEX.unpack_from(timex)
    if state == TIME_ERROR or status & STA_UNSYNC:
        return None
    return float(offset) / (1e9 if status & STA_NANO else 1e6)
