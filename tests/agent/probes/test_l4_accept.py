import asyncio

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import SHOP, URL, WEB, nginx, shop
from tests.agent.probes.asking import look, made, sees

from guardian_agent.errors import ProbeError
from guardian_agent.model import Endpoint, Health
from guardian_agent.probes.base import RESOURCES
from guardian_agent.probes.l4_accept import L4Accept


async def took_s(host: FakeHost) -> float:
    began_s = asyncio.get_running_loop().time()
    assert await sees(L4Accept, host) == "service_hung"
    return asyncio.get_running_loop().time() - began_s


async def test_an_empty_queue_is_good_at_once() -> None:
    host = FakeHost()
    nginx(host)
    began_s = asyncio.get_running_loop().time()
    assert await sees(L4Accept, host) == ""
    assert asyncio.get_running_loop().time() == began_s


async def test_where_nobody_listens_nobody_can_be_deaf() -> None:
    assert await sees(L4Accept, FakeHost()) == ""


async def test_a_queue_that_is_emptied_is_good() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.waiting = 3
    asyncio.get_running_loop().call_later(0.7, setattr, unit, "waiting", 2)
    assert await sees(L4Accept, host) == ""


async def test_a_queue_that_nobody_empties_is_hung_after_twice_the_health_checks_patience() -> None:
    host = FakeHost()
    nginx(host).waiting = 1
    assert await took_s(host) == pytest.approx(2.0, abs=0.06)
    for timeout_s, hung_after_s in [(4.0, 8.0), (0.6, 1.2), (0.1, 1.0)]:
        declared = msgspec.structs.replace(WEB, health=Health(http=URL, timeout_s=timeout_s))
        began_s = asyncio.get_running_loop().time()
        assert not (await look(L4Accept, host, declared)).ok
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(hung_after_s, abs=0.06)


async def test_all_workers_busy_for_a_while_with_one_client_waiting_is_no_hang() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.waiting = 1
    asyncio.get_running_loop().call_later(1.9, setattr, unit, "waiting", 0)
    assert await sees(L4Accept, host) == ""


async def test_connections_are_told_one_by_one_only_where_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.waiting = 3
    monkeypatch.setattr(host.sockets, "queue", None)
    asyncio.get_running_loop().call_later(0.08, setattr, unit, "waiting", 2)
    assert await sees(L4Accept, host) == ""
    unit.freeze()
    assert await sees(L4Accept, host) == "service_hung"


async def test_stopped_processes_are_enough_much_sooner() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.waiting = 1
    unit.freeze()
    assert await took_s(host) == pytest.approx(0.15, abs=0.06)


async def test_a_busy_server_whose_queue_is_always_full_takes_from_it_all_the_same() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.waiting = 512
    asyncio.get_running_loop().call_later(0.6, setattr, unit, "taken", 1)
    reading = await look(L4Accept, host)
    assert reading.ok and reading.evidence["taken_meanwhile"] == 1


async def test_a_server_that_was_started_anew_is_not_the_one_that_was_deaf() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.waiting = 5
    asyncio.get_running_loop().call_later(0.2, setattr, unit, "number", 4711)
    assert await sees(L4Accept, host) == ""


async def test_a_unit_that_is_starting_is_not_judged() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.waiting, unit.active_state = 1, "activating"
    with pytest.raises(ProbeError, match="is starting"):
        await look(L4Accept, host)


async def test_a_stopped_command_is_hung_too() -> None:
    host = FakeHost()
    command = shop(host)
    command.waiting = 1
    command.freeze()
    assert (await look(L4Accept, host, SHOP)).evidence["all_stopped"]


def test_a_host_that_is_short_of_something_accounts_for_it() -> None:
    assert made(L4Accept).rests_on("service_hung") == RESOURCES


async def test_the_queue_of_a_moved_component_is_the_one_where_it_is() -> None:
    host = FakeHost()
    unit = nginx(host)
    host.ports.squat(80)
    host.known.moved["web"] = unit.serves = Endpoint("0.0.0.0", 20001)
    unit.freeze()
    unit.waiting = 1
    reading = await look(L4Accept, host)
    assert not reading.ok and reading.evidence["endpoint"] == "tcp:0.0.0.0:20001"
