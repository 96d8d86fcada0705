"""The clock of one service jumps, and no other: libfaketime, preloaded by a drop-in, reads by how much from a file."""

from tests.bed.host import Host

LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
OFFSETS = "/run/bed-clock"
DROP_IN = """[Service]
Environment=LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={offset} FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1
"""


def _drop_in(unit: str) -> str:
    return f"/run/systemd/system/{unit}.d/bed-clock.conf"


async def jump_clock(host: Host, unit: str, seconds: float) -> None:
    """From now on the unit's wall clock is this far ahead of the host's (negative: behind); its monotonic one is not.

    The first time, the unit is restarted for that, with its clock still right; then it jumps while the unit runs.
    `unit`: its full name, `nginx.service`. A sleep until a point in time (clock_nanosleep, Python's `time.sleep`) is
    moved by the jump as well, even on the monotonic clock: backwards it lasts that much longer.
    """
    offset = f"{OFFSETS}/{unit}"
    if not (await host.exec("test", "-e", _drop_in(unit))).ok:
        await host.write_file(offset, "+0")
        await host.write_file(_drop_in(unit), DROP_IN.format(library=LIBRARY, offset=offset))
        await host.must("systemctl", "daemon-reload")
        await host.must("systemctl", "restart", unit)
    await host.write_file(f"{offset}.new", f"{seconds:+g}")
    await host.must("mv", f"{offset}.new", offset)  # at once: nobody reads half of it


async def straighten_clock(host: Host, unit: str) -> None:
    """Takes that back, with one more restart; a unit whose clock never jumped is left alone."""
    if (await host.exec("test", "-e", _drop_in(unit))).ok:
        await host.must("rm", "-f", _drop_in(unit), f"{OFFSETS}/{unit}")
        await host.exec("rmdir", f"/run/systemd/system/{unit}.d")
        await host.must("systemctl", "daemon-reload")
        await host.must("systemctl", "restart", unit)
