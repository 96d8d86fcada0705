import asyncio

from guardian_agent.executor.pace import Pace


async def test_a_burst_is_let_through_and_what_comes_after_waits():
    pace = Pace(burst=3, per_second=20.0)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for _ in range(3):
        await pace.wait()
    assert loop.time() - began_s < 0.04
    await asyncio.gather(pace.wait(), pace.wait())
    assert 0.08 < loop.time() - began_s < 0.5


async def test_what_was_not_used_is_there_later_but_no_more_than_a_burst():
    pace = Pace(burst=2, per_second=1000.0)
    await asyncio.sleep(0.05)
    began_s = asyncio.get_running_loop().time()
    for _ in range(50):
        await pace.wait()
    assert asyncio.get_running_loop().time() - began_s > 0.03
