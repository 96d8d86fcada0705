"""A service's clock jumps while it runs, and nobody else's does."""

from tests.bed.clock import jump_clock, straighten_clock
from tests.bed.fleet import Fleet
from tests.bed.host import Host
from tests.bed.waiting import until

UNIT = "teller.service"
TELL = """
import pathlib, select, time
while True:
    pathlib.Path("/run/told.new").write_text(f"{time.time()} {time.monotonic()}")
    pathlib.Path("/run/told.new").rename("/run/told")
    select.select([], [], [], 0.05)  # not time.sleep, see clock.py
"""
HOUR_S = 3600


async def ahead(host: Host) -> tuple[float, float]:
    """How far the service's two clocks are ahead of the host's, in seconds."""
    look = "import pathlib, time; w, m = map(float, pathlib.Path('/run/told').read_text().split())"
    said = await host.must("python3", "-c", f"{look}; print(w - time.time(), m - time.monotonic())")
    wall, monotonic = map(float, said.split())
    return wall, monotonic


async def test_a_service_s_clock_jumps_and_is_put_right(fleet: Fleet) -> None:
    h1 = fleet["h1"]
    await h1.write_file("/opt/tell.py", TELL)
    await h1.write_file(f"/run/systemd/system/{UNIT}", "[Service]\nExecStart=/usr/bin/python3 /opt/tell.py\n")
    await h1.must("systemctl", "start", UNIT)

    async def pid() -> str:
        return await h1.must("systemctl", "show", "-P", "MainPID", UNIT)

    async def is_ahead_by(seconds: float) -> None:
        async def there() -> bool:
            told = await h1.exec("test", "-s", "/run/told")
            return told.ok and abs((await ahead(h1))[0] - seconds) < 60

        await until(there, f"its clock is {seconds} s ahead", within_s=20)

    await is_ahead_by(0)
    try:
        await jump_clock(h1, UNIT, HOUR_S)
        jumped = await pid()
        await is_ahead_by(HOUR_S)
        await jump_clock(h1, UNIT, -HOUR_S)
        await is_ahead_by(-HOUR_S)
        assert abs((await ahead(h1))[1]) < 60
        assert await pid() == jumped
    finally:
        await straighten_clock(h1, UNIT)
    await is_ahead_by(0)
    assert await h1.must("systemctl", "show", "-P", "DropInPaths", UNIT) == "\n"
    await straighten_clock(h1, UNIT)
    await h1.must("systemctl", "stop", UNIT)
