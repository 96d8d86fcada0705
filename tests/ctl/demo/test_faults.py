import asyncio
import signal
import sys

import pytest

from guardian_ctl.demo.faults import FAULTS


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.number != signal.SIGSTOP])
async def test_a_fault_is_the_signal_that_it_names(fault) -> None:
    sleeper = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
    fault.inject(sleeper.pid)
    assert await asyncio.wait_for(sleeper.wait(), 5) == -fault.number


def test_each_fault_is_another_signal_and_another_name() -> None:
    assert len({fault.number for fault in FAULTS}) == len({fault.name for fault in FAULTS}) == len(FAULTS) == 3
