import asyncio

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.probes.asking import look, made, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import ProgramEnd
from guardian_agent.model import Component, Health
from guardian_agent.probes.base import RESOURCES
from guardian_agent.probes.l7_command import L7Command

CHECK = "/usr/lib/check"
SHOP = Component(name="shop", health=Health(command=(CHECK, "--all")))


@pytest.mark.parametrize(("code", "issue_type"), [(0, ""), (1, "check_failed"), (2, "check_failed")])
async def test_it_says_what_the_check_says(code: int, issue_type: str) -> None:
    host = FakeHost()
    host.processes.checks[CHECK] = ProgramEnd(exit_code=code, output="asking\n7 orders wait")
    assert await sees(L7Command, host, SHOP) == issue_type
    evidence = (await look(L7Command, host, SHOP)).evidence
    assert evidence == {"command": CHECK, "exit_code": code, "said": "7 orders wait"}


@pytest.mark.parametrize("code", [3, 127, -9])
async def test_a_check_that_cannot_tell_is_no_verdict(code: int) -> None:
    host = FakeHost()
    host.processes.checks[CHECK] = ProgramEnd(exit_code=code)
    with pytest.raises(ProbeError, match=f"exit code {code}"):
        await look(L7Command, host, SHOP)


async def test_a_check_that_does_not_end_in_its_time_found_somebody_hung() -> None:
    host = FakeHost()
    host.processes.checks[CHECK] = ProgramEnd(exit_code=None)
    began_s = asyncio.get_running_loop().time()
    assert await sees(L7Command, host, SHOP, timeout_s=2.0) == "service_hung"
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(2.0)


async def test_a_long_line_is_cut() -> None:
    host = FakeHost()
    host.processes.checks[CHECK] = ProgramEnd(exit_code=1, output="x" * 4096)
    assert len((await look(L7Command, host, SHOP)).evidence["said"]) == 200


def test_a_slow_host_accounts_for_a_check_that_does_not_end() -> None:
    assert made(L7Command, SHOP).rests_on("service_hung") == RESOURCES
    assert made(L7Command, SHOP).rests_on("check_failed") == ()


def test_a_check_of_a_far_address_crosses_the_network() -> None:
    for words, crosses in ((("/bin/check", "10.0.0.5"), True), (("/bin/check", "127.0.0.1", "web"), False)):
        assert ("l1_carrier" in L7Command(argv=words).rests_on("check_failed")) is crosses
