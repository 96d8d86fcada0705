import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.probes.asking import SECURE, look, made, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import Answer, Resumed
from guardian_agent.model import Certificate, Component, Endpoint
from guardian_agent.probes.l5_tls_resume import L5TlsResume

HERE = Endpoint("127.0.0.1", 443)
CONNECTED = Answer(connected=True)


async def test_a_session_that_is_resumed_is_good() -> None:
    assert await sees(L5TlsResume, FakeHost(), SECURE) == ""


async def test_one_that_no_longer_is_is_not() -> None:
    host = FakeHost()
    host.clients.resuming[HERE] = Resumed(answer=CONNECTED, ever=True, version="TLSv1.3")
    assert await sees(L5TlsResume, host, SECURE) == "session_not_resumed"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Resumed(answer=CONNECTED, ever=False), "may not be meant to"),
        (Resumed(answer=CONNECTED, ever=True, reason="handshake failure"), "handshake failure"),
        (Resumed(answer=Answer(connected=False, refused=True), ever=True), "no connection"),
    ],
)
async def test_what_was_never_resumed_or_makes_no_handshake_is_no_verdict(answer: Resumed, says: str) -> None:
    host = FakeHost()
    host.clients.resuming[HERE] = answer
    with pytest.raises(ProbeError, match=says):
        await look(L5TlsResume, host, SECURE)


def test_a_file_alone_has_no_sessions_and_a_wildcard_is_asked_on_loopback() -> None:
    def of(endpoint: Endpoint | None) -> Component:
        return Component(name="site", certificate=Certificate(file="/site.pem", endpoint=endpoint))

    assert L5TlsResume.for_component(of(None), L5TlsResume.schedule) is None
    assert made(L5TlsResume, of(Endpoint("0.0.0.0", 443))).endpoint == HERE  # type: ignore[attr-defined]
    assert "l1_carrier" in made(L5TlsResume, of(Endpoint("10.0.0.1", 443))).rests_on("session_not_resumed")
