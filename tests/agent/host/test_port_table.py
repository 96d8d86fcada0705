"""Sockets of a network namespace of the test's own."""

import socket

import pytest
from tests.agent.host.as_root.own_network import in_own_network

from guardian_agent.host import port_table

own_network = in_own_network


def server(host: str = "127.0.0.1", port: int = 0, *, v6_only: bool = True) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6_only)
    try:
        made.bind((host, port))
        made.listen()
    except OSError:
        made.close()
        raise
    return made


@pytest.mark.usefixtures("own_network")
def test_it_tells_who_listens_where_and_what_is_in_use() -> None:
    with server("127.0.0.1", 8000), server("::", 8001, v6_only=False), server("::", 8002):
        (plain,), (both,), (six,) = (port_table.of_port(port) for port in (8000, 8001, 8002))
        assert plain.listens and plain.inode and plain.addresses == ("127.0.0.1",)
        assert both.addresses == ("::", "0.0.0.0") and six.addresses == ("::",)
        assert port_table.used(8000, 8001) == {8000, 8001}
    assert port_table.of_port(8000) == []


@pytest.mark.usefixtures("own_network")
def test_what_its_process_has_closed_is_left_over_and_can_be_destroyed() -> None:
    with server(port=8000) as listener:
        client = socket.create_connection(("127.0.0.1", 8000), 1.0)
        waiting = [one for one in port_table.of_port(8000) if not one.listens]
        assert [one.left_over for one in waiting] == [False]  # not accepted yet, and so no process holds it
        taken, _ = listener.accept()
        taken.close()  # the server closes first: its side lingers
        client.close()
        (left,) = [one for one in port_table.of_port(8000) if not one.listens]
        assert left.left_over
        port_table.destroy(left)
        port_table.destroy(left)
        assert [one.listens for one in port_table.of_port(8000)] == [True]


@pytest.mark.usefixtures("own_network")
def test_without_so_reuseaddr_what_is_left_over_keeps_the_port() -> None:
    with server(port=8000) as listener:
        client = socket.create_connection(("127.0.0.1", 8000), 1.0)
        taken, _ = listener.accept()
        taken.close()
        client.close()
    with pytest.raises(OSError, match="in use"):
        server(port=8000)
    for one in port_table.of_port(8000):
        port_table.destroy(one)
    server(port=8000).close()


@pytest.mark.parametrize(
    ("host", "addresses", "expected"),
    [
        ("0.0.0.0", ("127.0.0.1",), True),
        ("0.0.0.0", ("::",), False),
        ("0.0.0.0", ("::", "0.0.0.0"), True),
        ("10.0.0.5", ("0.0.0.0",), True),
        ("10.0.0.5", ("10.0.0.5",), True),
        ("10.0.0.5", ("127.0.0.53",), False),
        ("::", ("127.0.0.1",), False),
        ("::1", ("::",), True),
        ("localhost", ("127.0.0.1",), True),
        ("localhost", ("::1",), True),
        ("web.example", ("127.0.0.1",), False),
    ],
)
def test_who_listens_elsewhere_is_in_nobody_s_way(host: str, addresses: tuple[str, ...], expected: bool) -> None:
    assert port_table.contests(host, addresses) is expected
