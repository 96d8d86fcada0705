"""What the kernel tells of sockets: of this host's own, on loopback."""

import asyncio
import errno
import socket
from contextlib import closing, suppress

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host import sock_diag
from guardian_agent.host.sock_diag import HOLDING_A_PORT, SockDiag, endpoint_of
from guardian_agent.host.sockets import LocalSockets
from guardian_agent.model import Endpoint


@pytest.fixture
def sockets():
    with closing(LocalSockets()) as sockets:
        yield sockets


def listening(family=socket.AF_INET, host="127.0.0.1", port=0, *, shared=False, backlog=16):
    server = socket.socket(family)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
    server.bind((host, port))
    server.listen(backlog)
    return server


async def test_sockets_that_share_a_port_are_all_told_of(sockets):
    with listening(shared=True) as one:
        port = one.getsockname()[1]
        with listening(port=port, shared=True, backlog=7), listening(host="127.0.0.2", port=port, shared=True):
            found = await sockets.listeners(Endpoint("127.0.0.1", port))
            assert {(a.endpoint.host, a.backlog_limit) for a in found} == {("127.0.0.1", 16), ("127.0.0.1", 7)}
            assert len({a.inode for a in found}) == 2
    assert await sockets.listeners(Endpoint("127.0.0.1", port)) == []


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::")])
async def test_a_connection_waits_until_it_is_taken(sockets, family, host):
    with listening(family, host) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
            before = await sockets.queue(port)
            assert (len(before.waiting), len(before.taken)) == (2, 0)
            taken, _ = server.accept()
            with taken:
                after = await sockets.queue(port)
            assert len(after.waiting) == len(after.taken) == 1
            assert before.waiting == after.waiting | after.taken


async def test_what_the_client_has_closed_still_waits_and_what_the_server_has_closed_does_not(sockets):
    with listening() as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        assert len((await sockets.queue(port)).waiting) == 1
        server.accept()[0].close()
        queue = await sockets.queue(port)
        assert (queue.waiting, queue.taken) == (frozenset(), frozenset())


async def test_the_ports_in_use_are_counted_by_where_they_lead(sockets):
    with listening() as server, listening() as other:
        to = server.getsockname()
        clients = [socket.create_connection(to) for _ in range(5)] + [socket.create_connection(other.getsockname())]
        ports = [client.getsockname()[1] for client in clients]
        found = await sockets.outgoing(min(ports), max(ports))
        assert found.ports >= 5
        assert found.to == Endpoint(*to)
        assert (await sockets.outgoing(min(ports), min(ports) - 1)).ports == 0
        everything = await sock_diag.outgoing(min(ports), max(ports), HOLDING_A_PORT)
        assert all(min(ports) <= port <= max(ports) for used in everything.values() for port in used)
        for client in clients:
            client.close()


async def test_ports_that_wait_for_stragglers_count_unless_they_may_be_used_again(sockets):
    with listening() as server:
        client = socket.create_connection(server.getsockname())
        port = client.getsockname()[1]
        client.close()
        server.accept()[0].close()
        assert (await sockets.outgoing(port, port)).ports == 1
        assert (await sockets.outgoing(port, port, time_wait=False)).ports == 0


def test_an_address_is_shown_as_people_write_it():
    v4 = socket.inet_aton("10.0.0.1") + bytes(12)
    mapped = socket.inet_pton(socket.AF_INET6, "::ffff:10.0.0.1")
    v6 = socket.inet_pton(socket.AF_INET6, "2001:db8::")
    shown = [endpoint_of(f, a + b"\0\x50") for f, a in ((2, v4), (10, mapped), (10, v6))]
    assert shown == [Endpoint("10.0.0.1", 80), Endpoint("10.0.0.1", 80), Endpoint("2001:db8::", 80)]


@pytest.mark.parametrize("question", [("queue", 80), ("outgoing", 1, 2), ("listeners", Endpoint("127.0.0.1", 80))])
async def test_a_kernel_that_does_not_tell_is_no_answer(sockets, monkeypatch, question):
    def refuse(*_, **__):
        raise OSError(errno.EPERM, "not permitted")

    monkeypatch.setattr(SockDiag, "_exchange", refuse)
    name, *arguments = question
    with pytest.raises(ProbeError, match="cannot tell"):
        await getattr(sockets, name)(*arguments)


async def test_a_question_that_was_given_up_does_not_spoil_the_next(sockets):
    with listening() as server:
        endpoint = Endpoint(*server.getsockname())
        with suppress(StopIteration):
            next(sockets._diag._ask(socket.AF_INET, ("0.0.0.0", 0), dump=True))
        assert (await sockets.listener(endpoint)).endpoint == endpoint
        await asyncio.sleep(0)


async def test_every_listening_socket_of_the_host_is_told(sockets):
    with listening() as one, listening(socket.AF_INET6, "::1") as other:
        found = {listener.endpoint for listener in await sockets.listening()}
        assert Endpoint("127.0.0.1", one.getsockname()[1]) in found
        assert Endpoint("::1", other.getsockname()[1]) in found
