import asyncio

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.probes.asking import look

from guardian_agent.errors import ProbeError
from guardian_agent.host import LinkCounters
from guardian_agent.probes.l1_errors import L1Errors


async def after(host: FakeHost, **counters: int) -> bool:
    """Whether it is good when the counters have grown so within five seconds."""
    await look(L1Errors, host)
    await asyncio.sleep(5)
    link = host.netlink.links["host0"]
    host.netlink.links["host0"] = msgspec.structs.replace(link, counters=LinkCounters(**counters))
    return (await look(L1Errors, host)).ok


@pytest.mark.parametrize(
    ("counters", "good"),
    [
        ({"rx_packets": 10_000}, True),
        ({"rx_packets": 10_000, "rx_errors": 40}, True),  # too few to be more than an accident
        ({"rx_packets": 100_000, "rx_errors": 500}, True),  # one in two hundred
        ({"rx_packets": 10_000, "rx_errors": 500}, False),
        ({"tx_packets": 10_000, "tx_dropped": 500}, False),
        ({"rx_packets": 10_000, "rx_dropped": 5_000}, True),  # frames for nobody here
    ],
)
async def test_many_and_a_large_share_of_lost_frames_are_a_fault(counters: dict[str, int], good: bool) -> None:
    assert await after(FakeHost(), **counters) is good


async def test_what_was_lost_long_ago_does_not_count() -> None:
    host = FakeHost()
    assert not await after(host, rx_packets=1_000, rx_errors=1_000)
    await asyncio.sleep(31)
    assert (await look(L1Errors, host)).ok


async def test_a_link_that_counts_nothing_cannot_be_judged() -> None:
    host = FakeHost()
    host.netlink.links["host0"] = msgspec.structs.replace(host.netlink.links["host0"], counters=None)
    with pytest.raises(ProbeError, match="no counters"):
        await look(L1Errors, host)
