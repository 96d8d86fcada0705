import msgspec
import pytest
from tests.agent.fake_host import WALL_S, FakeHost
from tests.agent.probes.asking import SECURE, SITE_PEM, look, made, pem_until, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import Answer, Presented
from guardian_agent.model import Certificate, Component, Endpoint
from guardian_agent.probes.l6_certificate import L6Certificate

HERE = Endpoint("127.0.0.1", 443)
CONNECTED = Answer(connected=True)
DAY_S = 86400


def host_with(*, file_days: float = 90, presented: Presented | None = None) -> FakeHost:
    host = FakeHost()
    host.files.contents[SITE_PEM] = pem_until(WALL_S + 1000 + file_days * DAY_S)
    if presented:
        host.clients.presenting[HERE] = presented
    return host


@pytest.mark.parametrize(
    ("days", "issue_type"), [(90, ""), (7.5, ""), (6.5, "certificate_expiring"), (-1, "certificate_expiring")]
)
async def test_a_file_that_is_good_for_less_than_a_week_is_expiring(days: float, issue_type: str) -> None:
    reading = await look(L6Certificate, host_with(file_days=days), SECURE)
    assert reading.evidence["days_left"] == days
    assert (reading.issue_type or "") == issue_type


@pytest.mark.parametrize(
    ("presented", "issue_type"),
    [
        (Presented(answer=CONNECTED, not_after_wall_s=WALL_S + 90.0 * DAY_S), ""),
        (Presented(answer=CONNECTED, not_after_wall_s=WALL_S + 1.0 * DAY_S), "certificate_expiring"),
        (Presented(answer=CONNECTED, problem="expired", reason="has expired"), "certificate_expiring"),
        (Presented(answer=CONNECTED, problem="not_trusted", reason="Hostname mismatch"), "certificate_wrong"),
        (Presented(answer=CONNECTED, problem="handshake", reason="wrong version number"), "tls_failed"),
    ],
)
async def test_what_is_presented_is_judged_though_the_file_is_good(presented: Presented, issue_type: str) -> None:
    host = host_with(presented=presented)
    assert await sees(L6Certificate, host, SECURE) == issue_type
    assert (await look(L6Certificate, host, SECURE)).evidence.get("reason", "") == presented.reason


async def test_a_server_that_is_down_has_no_wrong_certificate() -> None:
    host = host_with(presented=Presented(answer=Answer(connected=False, refused=True)))
    with pytest.raises(ProbeError, match="no connection"):
        await look(L6Certificate, host, SECURE)


async def test_a_file_without_a_certificate_is_wrong_and_one_that_cannot_be_read_is_no_verdict() -> None:
    host = FakeHost()
    host.files.contents[SITE_PEM] = "-----BEGIN PRIVATE KEY-----\n"
    assert await sees(L6Certificate, host, SECURE) == "certificate_wrong"
    del host.files.contents[SITE_PEM]
    with pytest.raises(ProbeError, match="No such file"):
        await look(L6Certificate, host, SECURE)


async def test_without_an_endpoint_nobody_is_asked() -> None:
    host = host_with(presented=Presented(answer=CONNECTED, problem="expired"))
    file_only = Component(name="site", certificate=Certificate(file=SITE_PEM, warn_days=30))
    assert await sees(L6Certificate, host, file_only) == ""
    far = msgspec.structs.replace(file_only, certificate=Certificate(file=SITE_PEM, warn_days=91))
    assert await sees(L6Certificate, host, far) == "certificate_expiring"


def test_only_the_handshake_needs_a_network() -> None:
    remote = Component(name="s", certificate=Certificate(file=SITE_PEM, endpoint=Endpoint("10.0.0.1", 443)))
    assert "l1_carrier" in made(L6Certificate, remote).rests_on("tls_failed")
    assert made(L6Certificate, remote).rests_on("certificate_expiring") == ()
