import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import SHOP, shop
from tests.agent.probes.asking import look, sees

from guardian_agent.errors import ProbeError
from guardian_agent.probes.host_process import HostProcess


async def test_a_process_that_lives_is_good_even_when_it_is_frozen() -> None:
    host = FakeHost()
    command = shop(host)
    assert await sees(HostProcess, host, SHOP) == ""
    command.freeze()
    reading = await look(HostProcess, host, SHOP)
    assert reading.ok and reading.evidence["status"] == "T"


async def test_a_process_that_is_gone_has_crashed_and_the_evidence_says_how() -> None:
    host = FakeHost()
    shop(host).crash(-11)
    assert await sees(HostProcess, host, SHOP) == "process_crashed"
    assert (await look(HostProcess, host, SHOP)).evidence["exit_code"] == -11


async def test_a_command_that_was_never_started_is_not_judged() -> None:
    host = FakeHost()
    host.command("shop", up=False)
    with pytest.raises(ProbeError, match="was not started yet"):
        await look(HostProcess, host, SHOP)
