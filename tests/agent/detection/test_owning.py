import asyncio

import msgspec
from tests.agent.detection.host_watches import canary, watch_of
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB, nginx, running, until

from guardian_agent.detection.owning import LOOK_BELOW_S
from guardian_agent.host import Host
from guardian_agent.model import Reading


async def test_a_crash_is_decided_without_a_look_at_the_network() -> None:
    host = FakeHost()
    unit = nginx(host)
    below = canary("l1_carrier")
    async with running(host, WEB, watches=[watch_of(below)]) as scene:
        unit.crash()
        assert await until(lambda: bool(scene.remedies), within_s=5.0) < 0.5


async def test_the_lowest_that_could_account_for_it_is_waited_for_although_another_was_found() -> None:
    host = FakeHost()
    nginx(host)
    slow = canary("l1_carrier", issue="link_down")
    quick = canary("l3_gateway", issue="gateway_unreachable", ground=("l1_carrier",))
    above = canary("l7_dns", issue="connection_timeout", ground=("l1_carrier", "l3_gateway"))

    async def take_a_second(self: object, host: Host) -> Reading:
        await asyncio.sleep(1.0)
        return Reading(ok=slow.good, evidence={"seen": "slowly"})

    slow.look = take_a_second
    watches = [watch_of(slow), watch_of(quick), watch_of(above, target="web")]
    async with running(host, WEB, watches=watches) as scene:
        slow.good = quick.good = above.good = False
        await asyncio.sleep(20.0)
        incidents = {incident.target: incident for incident in scene.incidents}
        assert incidents["web"].explained_by == incidents["host:carrier"].incident_id
        assert host.done == []


async def test_a_look_below_that_hangs_keeps_nobody_waiting_for_ever() -> None:
    host = FakeHost()
    unit = nginx(host)
    hanging = canary("l1_carrier")
    above = canary("l7_dns", issue="http_error", ground=("l1_carrier",))
    quick = msgspec.structs.replace(WEB, start_grace_s=1.0)
    async with running(host, quick, watches=[watch_of(hanging), watch_of(above, target="web")]) as scene:

        async def hang(self: object, host: Host) -> Reading:
            await asyncio.Event().wait()
            raise AssertionError

        hanging.look = hang
        above.good = False
        assert await until(lambda: bool(scene.remedies), within_s=60.0) <= LOOK_BELOW_S + 4.0
        assert unit.up


async def test_what_lies_below_and_the_components_own_probes_are_looked_at_side_by_side() -> None:
    host = FakeHost()
    nginx(host)
    below, own = canary("l1_carrier", takes_s=1.5), canary("l6_payload", issue="service_hung", takes_s=1.5)
    above = canary("l7_dns", issue="http_error", ground=("l1_carrier",))
    watches = [watch_of(below, interval_s=100.0), watch_of(own, "web", 100.0), watch_of(above, "web")]
    async with running(host, WEB, watches=watches) as scene:
        await asyncio.sleep(10.0)
        above.good = False
        await until(lambda: bool(scene.incidents), within_s=10.0)
        assert await until(lambda: bool(scene.remedies), within_s=10.0) < 2.0
