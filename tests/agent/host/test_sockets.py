import errno
import os
import socket
from contextlib import closing

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host import dialling
from guardian_agent.host.sock_diag import SockDiag
from guardian_agent.host.sockets import LocalSockets
from guardian_agent.model import Endpoint


@pytest.fixture
def sockets():
    with closing(LocalSockets()) as sockets:
        yield sockets


def listening(host, port=0, *, v6_only=False, backlog=16):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.socket(family)
    if family == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6_only)
    server.bind((host, port))
    server.listen(backlog)
    return server


def port_of(server):
    return server.getsockname()[1]


@pytest.mark.parametrize(
    ("bound", "asked"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("::1", "::1"),
        ("::", "::1"),
        ("::", "::"),
        ("::", "127.0.0.1"),
        ("::", "0.0.0.0"),
        ("127.0.0.1", "localhost"),
    ],
)
@pytest.mark.parametrize("listing", [False, True], ids=["exact", "listing"])
async def test_it_finds_the_socket_that_would_take_the_connection(sockets, monkeypatch, bound, asked, listing):
    if listing:
        refuse_exact(monkeypatch)
    with listening(bound, backlog=7) as server:
        found = await sockets.listener(Endpoint(asked, port_of(server)))
        assert found is not None
        assert found.endpoint == Endpoint(bound, port_of(server))
        assert found.inode == os.fstat(server.fileno()).st_ino
        assert found.uid == os.getuid()
        assert found.backlog_limit == 7


@pytest.mark.parametrize(
    ("bound", "v6_only", "asked"),
    [
        ("127.0.0.1", False, "127.0.0.2"),
        ("127.0.0.1", False, "0.0.0.0"),
        ("127.0.0.1", False, "::1"),
        ("::", True, "127.0.0.1"),
        ("::1", False, "::"),
    ],
)
@pytest.mark.parametrize("listing", [False, True], ids=["exact", "listing"])
async def test_a_socket_that_would_not_take_it_does_not_count(sockets, monkeypatch, bound, v6_only, asked, listing):
    if listing:
        refuse_exact(monkeypatch)
    with listening(bound, v6_only=v6_only) as server:
        assert await sockets.listener(Endpoint(asked, port_of(server))) is None


def refuse_exact(monkeypatch):
    """A kernel that can list and cannot look up."""
    ask = SockDiag._ask

    def only_listing(self, family, address, *, dump=False):
        if not dump:
            raise OSError(errno.EOPNOTSUPP, "not supported")
        return ask(self, family, address, dump=True)

    monkeypatch.setattr(SockDiag, "_ask", only_listing)


async def test_the_backlog_is_what_waits_for_accept(sockets):
    with listening("127.0.0.1", backlog=4) as server, socket.create_connection(server.getsockname()):
        found = await sockets.listener(Endpoint("127.0.0.1", port_of(server)))
        assert (found.backlog, found.backlog_limit) == (1, 4)


async def test_the_control_group_is_the_one_of_its_maker(sockets):
    with listening("127.0.0.1") as server:
        found = await sockets.listener(Endpoint("127.0.0.1", port_of(server)))
        assert found.cgroup_id is not None
        assert found.cgroup_id > 0


async def test_a_closed_port_has_no_listener_whatever_was_asked_before(sockets):
    with listening("127.0.0.1") as server:
        endpoint = Endpoint("127.0.0.1", port_of(server))
        assert await sockets.listener(endpoint)
    assert await sockets.listener(endpoint) is None


async def test_an_unknown_name_is_no_answer_about_a_listener(sockets):
    with pytest.raises(ProbeError, match="cannot tell who listens"):
        await sockets.listener(Endpoint("no-such-host.invalid", 80))


async def test_connected(sockets):
    with listening("127.0.0.1") as server:
        answer = await sockets.connect(Endpoint("127.0.0.1", port_of(server)), 1.0)
        assert answer.connected
        assert 0 < answer.elapsed_s < 1


async def test_a_name_is_tried_by_all_its_addresses(sockets):
    with listening("127.0.0.1") as server:
        assert (await sockets.connect(Endpoint("localhost", port_of(server)), 1.0)).connected


async def test_refused(sockets):
    with listening("127.0.0.1") as server:
        endpoint = Endpoint("127.0.0.1", port_of(server))
    answer = await sockets.connect(endpoint, 1.0)
    assert (answer.connected, answer.refused, answer.timed_out, answer.unreachable) == (False, True, False, "")


async def test_a_full_accept_queue_times_out(sockets):
    with listening("127.0.0.1", backlog=0) as server, socket.create_connection(server.getsockname()):
        answer = await sockets.connect(Endpoint("127.0.0.1", port_of(server)), 0.05)
    assert (answer.connected, answer.refused, answer.timed_out) == (False, False, True)
    assert answer.elapsed_s >= 0.05


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES])
async def test_what_the_network_says_is_unreachable(sockets, monkeypatch, number):
    answer = await connect_failing_with(number, sockets, monkeypatch)
    assert (answer.connected, answer.refused, answer.timed_out) == (False, False, False)
    assert answer.unreachable == os.strerror(number)


async def test_a_lack_of_our_own_says_nothing_of_the_other_side(sockets, monkeypatch):
    with pytest.raises(ProbeError, match="Too many open files"):
        await connect_failing_with(errno.EMFILE, sockets, monkeypatch)


async def connect_failing_with(number, sockets, monkeypatch):
    async def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(dialling, "connected", fail)
    return await sockets.connect(Endpoint("127.0.0.1", 1), 1.0)


async def test_a_connection_to_itself_is_refused():
    with listening("127.0.0.1") as server:
        port = port_of(server)
    # What the kernel does when the ephemeral port it picks is the one that is asked for.
    bound = socket.socket()
    bound.setblocking(False)
    bound.bind(("127.0.0.1", port))
    with bound, pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialling.socket, "socket", lambda *_: bound)
        with pytest.raises(ConnectionRefusedError):
            await dialling.connected(socket.AF_INET, ("127.0.0.1", port), dialling.Attempt())


async def test_the_reason_is_the_kernels_and_not_asyncios(sockets):
    answer = await sockets.connect(Endpoint("255.255.255.255", 80), 1.0)  # nobody connects to a broadcast address
    assert answer.unreachable == os.strerror(errno.ENETUNREACH)
