import asyncio

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import URL, WEB, nginx
from tests.agent.probes.asking import look, sees

from guardian_agent.host import Answer
from guardian_agent.model import Health
from guardian_agent.probes.l7_http import L7Http


@pytest.mark.parametrize(
    ("answer", "issue_type", "reason"),
    [
        (Answer(connected=True, status=200), "", ""),
        (Answer(connected=True, status=503), "http_error", "status 503, expected 200"),
        (Answer(connected=True, broken="not HTTP"), "http_error", "not HTTP"),
        (Answer(connected=True), "service_hung", "connected, and no answer within 1 s"),
        (Answer(connected=False, refused=True), "connection_refused", "connection refused"),
        (Answer(connected=False, timed_out=True), "connection_timeout", "no connection within 1 s"),
        (Answer(connected=False, unreachable="no route"), "connection_timeout", "no route"),
    ],
)
async def test_each_answer_has_its_name_and_its_reason(answer: Answer, issue_type: str, reason: str) -> None:
    host = FakeHost()
    host.sockets.answers[URL] = answer
    assert await sees(L7Http, host) == issue_type
    assert (await look(L7Http, host)).evidence.get("reason", "") == reason


async def test_what_the_operator_expects_is_good_and_nothing_else() -> None:
    teapot = msgspec.structs.replace(WEB, health=Health(http=URL, expect_status=(418, 204)))
    host = FakeHost()
    unit = nginx(host)
    for status, issue_type in [(418, ""), (204, ""), (200, "http_error")]:
        unit.status = status
        assert await sees(L7Http, host, teapot) == issue_type
    assert (await look(L7Http, host, teapot)).evidence["reason"] == "status 200, expected 418 or 204"


async def test_a_frozen_server_is_hung_after_the_time_that_was_set_and_no_later() -> None:
    host = FakeHost()
    nginx(host).freeze()
    began_s = asyncio.get_running_loop().time()
    assert await sees(L7Http, host, timeout_s=0.25) == "service_hung"
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(0.25)
