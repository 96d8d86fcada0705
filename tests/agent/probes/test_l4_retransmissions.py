import asyncio

import pytest
from tests.agent.fake_host import FakeHost

from guardian_agent.errors import ProbeError
from guardian_agent.model import Reading
from guardian_agent.probes.base import PATH
from guardian_agent.probes.l4_retransmissions import L4Retransmissions


async def after(host: FakeHost, sent: int, again: int, syn_again: int = 0, wait_s: float = 5.0) -> Reading:
    """What is seen that many segments and seconds after a first look."""
    with pytest.raises(ProbeError, match="first look"):
        await L4Retransmissions().look(host)
    host.kernel.counted["Tcp"] = {"OutSegs": 1000 + sent, "RetransSegs": 50 + again}
    host.kernel.counted["TcpExt"] = {"TCPSynRetrans": 7 + syn_again}
    await asyncio.sleep(wait_s)
    return await L4Retransmissions().look(host)


@pytest.fixture
def host() -> FakeHost:
    host = FakeHost()
    host.kernel.counted |= {"Tcp": {"OutSegs": 1000, "RetransSegs": 50}, "TcpExt": {"TCPSynRetrans": 7}}
    return host


@pytest.mark.parametrize(
    ("sent", "again", "ok"), [(1000, 0, True), (1000, 100, True), (1000, 101, False), (50, 19, True), (50, 20, False)]
)
async def test_more_than_a_tenth_and_at_least_twenty_is_too_much(
    host: FakeHost, sent: int, again: int, ok: bool
) -> None:
    reading = await after(host, sent, again)
    assert reading.ok == ok
    assert reading.evidence == {"segments_sent": sent, "sent_again": again, "over_s": 5.0}


async def test_what_only_tries_to_open_a_connection_does_not_count(host: FakeHost) -> None:
    assert (await after(host, 50, 40, syn_again=40)).ok


async def test_what_is_older_than_half_a_minute_does_not_count(host: FakeHost) -> None:
    assert not (await after(host, 1000, 500)).ok
    await asyncio.sleep(25.0)
    await L4Retransmissions().look(host)
    await asyncio.sleep(5.0)
    assert (await L4Retransmissions().look(host)).ok


async def test_a_kernel_that_does_not_count_is_no_verdict(host: FakeHost) -> None:
    host.kernel.counted["Tcp"] = {}
    with pytest.raises(ProbeError, match="does not count"):
        await L4Retransmissions().look(host)


def test_a_broken_path_accounts_for_it() -> None:
    assert L4Retransmissions().rests_on("retransmissions") == PATH
