import asyncio
import contextlib
import os
import sys

from tests.agent.fake_units import FakeUnits

from guardian_agent.host import ProcessState
from guardian_agent.host.as_root import stacks
from guardian_agent.host.questions import ReadStacks


class Units(FakeUnits):
    def __init__(self, *pids: int) -> None:
        super().__init__()
        self.pids = pids

    async def processes(self, control_group: str) -> list[ProcessState]:
        return [ProcessState(pid=pid, start_ticks=0, alive=True) for pid in self.pids]


async def test_it_tells_where_a_sleeping_process_is():
    sleeper = "import time; print(1, flush=True); time.sleep(60)"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", sleeper, stdout=pipe)
    assert process.stdout
    await process.stdout.readline()
    try:
        gone = 2**22 + 1
        async with asyncio.timeout(10.0):  # it has only said that it will sleep: the kernel tells where once it does
            while True:
                (thread,) = await stacks.read(Units(process.pid, gone), ReadStacks("web.service"))
                if "sleep" in thread.waits_in:
                    break
                await asyncio.sleep(0.01)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    assert (thread.pid, thread.tid) == (process.pid, process.pid)
    assert thread.status == "S"
    assert os.geteuid() != 0 or thread.kernel_stack


async def test_it_stops_at_as_many_as_are_asked_for():
    assert await stacks.read(Units(os.getpid()), ReadStacks("web.service", most=0)) == ()
