import asyncio

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_network import GATEWAY
from tests.agent.probes.asking import WELL, look, sees

from guardian_agent.errors import ProbeError
from guardian_agent.probes.l1_loss import L1Loss


@pytest.mark.parametrize(("lost", "issue_type"), [(0, ""), (2, ""), (3, "packet_loss"), (9, "packet_loss")])
async def test_from_three_lost_of_ten_on_the_link_loses_packets(lost: int, issue_type: str) -> None:
    host = FakeHost()
    host.packets.lost[GATEWAY] = [False] + [True] * lost
    assert await sees(L1Loss, host) == issue_type
    host.packets.lost[GATEWAY] = [False] + [True] * lost
    assert (await look(L1Loss, host)).evidence["lost"] == lost


async def test_a_gateway_that_answers_nothing_is_another_probes_to_judge() -> None:
    host = FakeHost()
    host.packets.silent.add(GATEWAY)
    with pytest.raises(ProbeError, match="answers none of 10"):
        await look(L1Loss, host)


@pytest.mark.parametrize(
    ("round_trip_s", "when_good_s", "issue_type"),
    [(0.09, 0.0, ""), (0.11, 0.0, "high_latency"), (0.11, 0.0003, "high_latency"), (0.2, 0.05, "")],
)
async def test_a_round_trip_is_long_by_the_clock_and_by_what_is_usual_here(
    round_trip_s: float, when_good_s: float, issue_type: str
) -> None:
    host = FakeHost()
    host.known.good = msgspec.structs.replace(WELL, gateway_rtt_s=when_good_s)
    host.packets.round_trips_s[GATEWAY] = round_trip_s
    assert await sees(L1Loss, host) == issue_type


async def test_a_full_queue_that_delays_and_loses_is_called_slow() -> None:
    host = FakeHost()
    host.packets.round_trips_s[GATEWAY] = 0.4
    host.packets.lost[GATEWAY] = [False, True, False, True, False, True, False, True]
    assert await sees(L1Loss, host) == "high_latency"


async def test_the_burst_takes_no_longer_than_its_gaps_and_one_wait() -> None:
    host = FakeHost()
    host.packets.lost[GATEWAY] = [False] * 10 + [True]
    began_s = asyncio.get_running_loop().time()
    await look(L1Loss, host)
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(9 * 0.02 + 1.0, abs=0.01)


async def test_what_the_first_request_waits_for_is_not_the_links_fault() -> None:
    host = FakeHost()
    host.packets.lost[GATEWAY] = [True, True, True]
    reading = await look(L1Loss, host)
    assert reading.ok and reading.evidence["lost"] == 0
