import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB, nginx
from tests.agent.probes.asking import look, made, sees

from guardian_agent.host import Answer, Route
from guardian_agent.model import Component, Endpoint, Schedule
from guardian_agent.probes.base import NAMES, PATH, RESOURCES, TIMEOUT_ONLY
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
    assert made(L4Connect, component).endpoint == Endpoint(asked, 9)  # type: ignore[attr-defined]
    remote = L4Connect.for_endpoint(Endpoint(listens, 9), Schedule())
    assert msgspec.structs.replace(remote, component="app") == made(L4Connect, component)
    assert made(L4Connect, WEB) == L4Connect(endpoint=LOCAL, component="web")


# Packet filters

REFUSED, SILENT = Answer(connected=False, refused=True), Answer(connected=False, timed_out=True)


@pytest.mark.parametrize("answer", [REFUSED, SILENT])
async def test_who_is_not_reached_though_he_listens_is_behind_a_packet_filter(answer: Answer) -> None:
    host = FakeHost()
    unit = nginx(host)
    host.sockets.answers[LOCAL] = answer
    assert await sees(L4Connect, host) == "firewall_block"
    unit.waiting = 511
    assert await sees(L4Connect, host) in ("connection_refused", "connection_timeout")  # he cannot take any more


async def test_a_server_that_was_restarted_meanwhile_is_not_behind_a_packet_filter() -> None:
    host = FakeHost()
    unit = nginx(host)

    async def restarts(endpoint: Endpoint, timeout_s: float) -> Answer:
        unit.number += 1
        return REFUSED

    host.sockets.connect = restarts  # type: ignore[method-assign]
    assert await sees(L4Connect, host) == "connection_refused"


async def test_what_is_no_refusal_and_no_silence_is_no_packet_filter() -> None:
    host = FakeHost()
    nginx(host)
    host.sockets.answers[LOCAL] = Answer(connected=False, unreachable="no route to host")
    assert await sees(L4Connect, host) == "connection_timeout"


@pytest.mark.parametrize(("way", "issue_type"), [("lo", "firewall_block"), ("host0", "connection_refused")])
async def test_another_host_is_not_behind_our_filter_because_we_listen_on_the_same_port(
    way: str, issue_type: str
) -> None:
    host = FakeHost()
    nginx(host)
    there = Endpoint("198.18.0.9", 80)
    host.netlink.routes[there.host] = Route(interface=way, gateway=None)
    host.sockets.answers[there] = REFUSED
    assert (await L4Connect(endpoint=there).look(host)).issue_type == issue_type


async def test_what_does_not_leave_this_host_is_stopped_by_its_packet_filter() -> None:
    host = FakeHost()
    there = Endpoint("db.example", 5432)
    host.sockets.answers[there] = Answer(connected=False, timed_out=True, dropped_here=True)
    assert (await L4Connect(endpoint=there).look(host)).issue_type == "firewall_block"


def test_only_another_host_is_given_the_time_to_show_that_we_stop_our_own_packets() -> None:
    def within_s(host: str, timeout_s: float) -> float:
        return L4Connect.for_endpoint(Endpoint(host, 1), Schedule(timeout_s=timeout_s)).connect_within_s

    assert (within_s("127.0.0.1", 1.0), within_s("10.0.0.1", 1.0), within_s("10.0.0.1", 0.25)) == (1.0, 1.5, 0.25)


@pytest.mark.parametrize(
    ("host", "below"),
    [
        ("127.0.0.1", set()),
        ("localhost", set()),
        ("0.0.0.0", set()),
        ("::", set()),
        ("10.0.0.1", {*PATH}),
        ("2001:db8::1", {*PATH}),
        ("db.example", {*PATH, *NAMES}),
    ],
)
def test_it_rests_on_what_its_packets_cross(host: str, below: set[str]) -> None:
    probe = L4Connect.for_endpoint(Endpoint(host, 1), Schedule())
    assert set(probe.rests_on("connection_refused")) == below - set(TIMEOUT_ONLY)
    ports = {"l4_ports"} if below else set()
    assert set(probe.rests_on("connection_timeout")) == {*below, *RESOURCES, *ports}


async def test_who_holds_the_old_port_of_a_moved_component_shows_no_firewall() -> None:
    host = FakeHost()
    unit = nginx(host)
    host.known.moved["web"] = unit.serves = Endpoint("0.0.0.0", 20001)
    unit.deaf = True
    host.ports.squat(80)
    host.sockets.answers[LOCAL] = Answer(connected=False, refused=True)
    assert await sees(L4Connect, host) == "connection_refused"
