"""Redirects in a network namespace of the test's own, by the real nft."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest
from tests.agent.host.as_root.own_network import in_own_network

from guardian_agent.host import nft
from guardian_agent.host.as_root import firewall
from guardian_agent.host.operations import ReplaceTables
from guardian_agent.host.redirects import new_port_in, table_key, table_text
from guardian_agent.model import Endpoint

OLD = Endpoint("0.0.0.0", 8000)


@pytest.mark.parametrize("name", ["web", "a.b-c_d", "web@1", "9", "x" * 64])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "fe80::1", "localhost"])
def test_its_text_is_a_table_and_says_the_port(name: str, host: str) -> None:
    text = table_text(name, Endpoint(host, 80), 20001)
    assert nft.fault(table_key(name), text) == "" and new_port_in(text) == 20001


def test_two_components_never_share_a_table() -> None:
    names = ["a@b", "a_b", "a.b", "a-b", "a@@b"]
    assert len({table_key(name) for name in names}) == len(names)


def test_a_name_is_no_address() -> None:
    with pytest.raises(ValueError, match=r"web\.example"):
        table_text("web", Endpoint("web.example", 80), 20001)


@pytest.mark.parametrize("text", ["", "dnat to :20001\ndnat to :20002\n", "dnat to :1\n"])
def test_what_is_no_redirect_has_no_port(text: str) -> None:
    assert new_port_in(text) is None


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
        server.settimeout(1.0)
        yield server


def reached(server: socket.socket, host: str) -> bool:
    """Whether who connects to the old port at that address comes to this server."""
    with socket.create_connection((host, 8000), 1.0) as client:
        taken, peer = server.accept()
        taken.close()
        return bool(peer == client.getsockname())


def replace(tables: dict[str, str]) -> None:
    asyncio.run(firewall.replace(ReplaceTables(tables)))


@pytest.mark.usefixtures("own_network")
def test_new_clients_are_taken_along_and_old_connections_stay() -> None:
    key = table_key("web")
    with listening("0.0.0.0", 8000) as foreign, listening("0.0.0.0", 20001) as own:
        old = socket.create_connection(("127.0.0.1", 8000), 1.0)
        theirs, _ = foreign.accept()
        for _ in range(2):  # twice, as after a crash in its midst
            replace({key: table_text("web", OLD, 20001)})
        new = socket.create_connection(("127.0.0.1", 8000), 1.0)
        ours, _ = own.accept()
        ours.sendall(b"new")
        assert new.recv(9) == b"new"
        old.sendall(b"old")
        assert theirs.recv(9) == b"old"
        replace({key: ""})
        assert reached(foreign, "127.0.0.1")
        for one in (old, theirs, new, ours):
            one.close()


@pytest.mark.usefixtures("own_network")
def test_only_the_declared_address_is_redirected_where_there_is_one() -> None:
    with listening("127.0.0.53", 8000) as other, listening("127.0.0.1", 20001) as own:
        replace({table_key("web"): table_text("web", Endpoint("127.0.0.1", 8000), 20001)})
        for server, host in ((own, "127.0.0.1"), (other, "127.0.0.53")):
            assert reached(server, host)


@pytest.mark.usefixtures("own_network")
def test_ipv6_clients_come_along() -> None:
    with listening("::1", 20001) as own:
        replace({table_key("web"): table_text("web", Endpoint("::", 8000), 20001)})
        assert reached(own, "::1")


own_network = in_own_network
