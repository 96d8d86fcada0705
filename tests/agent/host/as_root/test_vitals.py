import asyncio
import contextlib
import sys

from tests.agent.host.as_root.test_stacks import Units

from guardian_agent.host.as_root import vitals
from guardian_agent.host.questions import ReadVitals

THREADED = """
import threading, time
files = [open("/dev/null") for _ in range(20)]
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print(1, flush=True)
time.sleep(60)
"""


async def test_it_tells_how_a_process_fares_and_not_what_it_was_started_with():
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", THREADED, "hunter2", stdout=pipe)
    assert process.stdout
    await process.stdout.readline()
    try:
        (found,) = await vitals.read(Units(2**22 + 1, process.pid), ReadVitals("web.service"))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    assert (found.pid, found.threads) == (process.pid, 2) and found.status in "RS"
    assert found.memory_bytes > 1 << 20
    assert found.open_files is not None and 20 < found.open_files < 40
    assert found.open_files_limit is not None and found.open_files_limit > 20
    assert "hunter2" not in str(found)


async def test_it_stops_at_as_many_as_are_asked_for():
    assert await vitals.read(Units(1, 2), ReadVitals("web.service", most=0)) == ()
