import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB
from tests.agent.probes.asking import look, made, sees

from guardian_agent.host import Answer
from guardian_agent.model import Component, Endpoint, Schedule
from guardian_agent.probes.l4_connect import L4Connect

LOCAL = Endpoint("127.0.0.1", 80)


@pytest.mark.parametrize(
    ("answer", "issue_type"),
    [
        (Answer(connected=True), ""),
        (Answer(connected=False, refused=True), "connection_refused"),
        (Answer(connected=False, timed_out=True), "connection_timeout"),
        (Answer(connected=False, unreachable="no route to host"), "connection_timeout"),
    ],
)
async def test_each_answer_has_its_name(answer: Answer, issue_type: str) -> None:
    host = FakeHost()
    host.sockets.answers[LOCAL] = answer
    assert await sees(L4Connect, host) == issue_type


async def test_the_evidence_says_why_there_was_no_connection() -> None:
    host = FakeHost()
    host.sockets.answers[LOCAL] = Answer(connected=False, unreachable="no route to host")
    assert (await look(L4Connect, host)).evidence["reason"] == "no route to host"
    host.sockets.answers[LOCAL] = Answer(connected=False, timed_out=True)
    assert (await look(L4Connect, host, timeout_s=2.5)).evidence["reason"] == "no connection within 2.5 s"


@pytest.mark.parametrize(("listens", "asked"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.1", "10.0.0.1")])
async def test_a_wildcard_address_is_asked_on_loopback(listens: str, asked: str) -> None:
    component = Component(name="app", listen=Endpoint(listens, 9))
    assert made(L4Connect, component) == L4Connect(endpoint=Endpoint(asked, 9))
    assert L4Connect.for_endpoint(Endpoint(listens, 9), Schedule()) == made(L4Connect, component)
    assert made(L4Connect, WEB) == L4Connect(endpoint=LOCAL)
