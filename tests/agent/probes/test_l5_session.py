import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import PORT, URL, WEB, nginx
from tests.agent.probes.asking import look, made, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import Address, Answer, Held, Listener, Page
from guardian_agent.model import Component, Endpoint, Health
from guardian_agent.probes.l5_session import L5Session

REDIS = Component(name="redis", unit="nginx.service", listen=PORT)
OWN = Endpoint("198.18.0.2", 80)  # where others reach it
GOOD = Answer(connected=True, status=200)


async def test_a_session_that_lives_is_good_and_is_held_where_others_reach_it() -> None:
    host = FakeHost()
    nginx(host)
    reading = await look(L5Session, host)
    assert reading.evidence == {"at": OWN.host, "held_s": 1.5} and host.clients.through == [OWN.host]


@pytest.mark.parametrize("why", ["Connection reset by peer", "no answer within 1 s", "closed without an answer"])
async def test_a_session_that_is_lost_while_a_new_one_is_good_is_dropped(why: str) -> None:
    host = FakeHost()
    nginx(host)
    host.clients.held[URL] = Held(answer=GOOD, broken=why, held_s=1.5)
    reading = await look(L5Session, host)
    assert not reading.ok and reading.evidence["reason"] == why


async def test_a_server_that_is_down_after_all_dropped_no_session() -> None:
    host = FakeHost()
    nginx(host)
    host.clients.held[URL] = Held(answer=GOOD, broken="Connection reset by peer")
    answers = iter([Page(answer=GOOD), Page(answer=Answer(connected=False, refused=True))])

    async def dies(*_: object, **__: object) -> Page:
        return next(answers)

    host.clients.page = dies  # type: ignore[method-assign]
    with pytest.raises(ProbeError, match="no better"):
        await look(L5Session, host)


async def test_a_server_that_was_started_anew_meanwhile_dropped_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    host = FakeHost()
    nginx(host)
    host.clients.held[URL] = Held(answer=GOOD, broken="Connection reset by peer")
    (old,) = await host.sockets.listeners(PORT)
    socket = iter([old, msgspec.structs.replace(old, inode=old.inode + 1)])

    async def listeners(_: Endpoint) -> list[Listener]:
        return [next(socket)]

    monkeypatch.setattr(host.sockets, "listeners", listeners)
    with pytest.raises(ProbeError, match="started anew"):
        await look(L5Session, host)


async def test_a_server_that_says_that_it_will_close_is_taken_at_its_word() -> None:
    host = FakeHost()
    nginx(host)
    host.clients.held[URL] = Held(answer=GOOD, not_held="the server closes after each answer")
    assert await sees(L5Session, host) == ""


async def test_where_no_session_begins_there_is_none_to_lose() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.freeze()
    with pytest.raises(ProbeError, match="no session to hold: no answer"):
        await look(L5Session, host)
    unit.go_down()
    with pytest.raises(ProbeError, match="no session to hold: connection refused"):
        await look(L5Session, host, REDIS)


async def test_without_a_page_the_connection_itself_is_held() -> None:
    host = FakeHost()
    nginx(host)
    assert await sees(L5Session, host, REDIS) == ""
    host.clients.held[OWN] = Held(answer=GOOD, broken="1 keep-alive packets without an answer")
    assert await sees(L5Session, host, REDIS) == "session_dropped"


async def test_a_host_without_a_network_is_asked_on_loopback() -> None:
    host = FakeHost()
    nginx(host)
    host.netlink.route = None
    assert (await look(L5Session, host)).evidence["at"] == "127.0.0.1"


async def test_a_passing_address_is_not_where_others_reach_it() -> None:
    host = FakeHost()
    nginx(host)
    passing = Address(address="198.18.0.77", prefix=16, lasting=False)
    host.netlink.own["host0"].insert(0, passing)
    assert (await look(L5Session, host)).evidence["at"] == OWN.host


@pytest.mark.parametrize(
    ("listens", "url"), [("127.0.0.1", URL), ("0.0.0.0", "http://shop.example/")], ids=["loopback only", "by name"]
)
async def test_what_is_set_is_asked_where_it_is_set(listens: str, url: str) -> None:
    component = msgspec.structs.replace(WEB, listen=Endpoint(listens, 80), health=Health(http=url))
    host = FakeHost()
    host.unit("nginx.service", serves=PORT, url=url)
    assert (await look(L5Session, host, component)).evidence["at"] == url


def test_a_health_check_alone_is_enough_to_ask() -> None:
    by_page = Component(name="page", health=Health(http="https://shop.example/health"))
    assert made(L5Session, by_page).endpoint == Endpoint("shop.example", 443)  # type: ignore[attr-defined]
    assert "l1_carrier" in made(L5Session, by_page).rests_on("session_dropped")
    assert made(L5Session).rests_on("session_dropped") == ()
