"""How connections come to nothing: real ones, in a network namespace with a packet filter (needs root)."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host import dialling
from guardian_agent.host.dialling import dial, dropped_here, numeric, reason, resolve
from guardian_agent.model import Endpoint

OUTPUT = "add table inet stray; add chain inet stray c { type filter hook %s priority 0; }; add rule inet stray c %s"
CHILD = """
import asyncio, json, sys
import msgspec
from guardian_agent.host.sockets import LocalSockets
from guardian_agent.model import Endpoint

answer = asyncio.run(LocalSockets().connect(Endpoint(sys.argv[1], 80), float(sys.argv[2])))
print(json.dumps(msgspec.to_builtins(answer)))
"""


@pytest.fixture
def inside():
    """Runs a command in a namespace that can send to 10.77.0.2 and to 10.77.0.3; nobody is there."""
    if os.geteuid() != 0 or shutil.which("nft") is None:
        pytest.skip("makes network namespaces and packet filters, so needs root and nft")
    name = f"guardian-dialling-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        lines = [
            "link set lo up",
            "link add v0 type veth peer name v1",
            "link set v0 up",
            "link set v1 up",
            "addr add 10.77.0.1/24 dev v0",
            "neigh add 10.77.0.2 lladdr 02:00:00:00:00:09 dev v0",
        ]
        subprocess.run(["ip", "-n", name, "-batch", "-"], input="\n".join([*lines, ""]), text=True, check=True)

        def run(*command):
            argv = ["ip", "netns", "exec", name, *command]
            return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout

        yield run
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def connects(inside, host, within_s):
    answer = json.loads(inside(sys.executable, "-c", CHILD, host, str(within_s)))
    assert not answer["connected"] and answer["timed_out"]
    return answer["dropped_here"]


def test_what_our_own_packet_filter_drops_is_told_once_it_was_sent_again(inside):
    inside("nft", OUTPUT % ("output", "tcp dport 80 drop"))
    assert connects(inside, "10.77.0.2", 1.5)
    assert not connects(inside, "10.77.0.2", 0.5)


def test_what_is_lost_on_the_way_or_not_answered_was_not_dropped_here(inside):
    assert not connects(inside, "10.77.0.2", 1.5)


def test_what_waits_for_a_neighbour_was_not_dropped_here(inside):
    assert not connects(inside, "10.77.0.3", 1.5)


def test_what_is_dropped_on_arrival_was_not_dropped_when_it_was_sent(inside):
    inside("nft", OUTPUT % ("input", "tcp dport 80 drop"))
    assert not connects(inside, "10.77.0.1", 1.5)


def test_a_socket_that_is_no_tcp_socket_tells_nothing():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as unused:
        assert not dropped_here(udp)
        assert not dropped_here(unused)


def test_a_name_is_no_numeric_address():
    assert numeric("localhost", 80) is None
    assert numeric("::1", 80) == (socket.AF_INET6, ("::1", 80, 0, 0))


def test_a_reason_is_in_the_kernels_words():
    assert reason(OSError(113, "whatever asyncio says")) == "No route to host"
    assert reason(socket.gaierror(-2, "Name or service not known")) == "Name or service not known"


def test_what_is_no_name_at_all_is_no_address_either():
    assert numeric("a..b", 80) is None


@pytest.fixture
def silent_name_servers(monkeypatch):
    """Every lookup hangs, as with name servers that say nothing; yields the names that were looked up."""
    names, end = [], threading.Event()

    def hang(host, *arguments, flags=0, **more):
        if flags & socket.AI_NUMERICHOST:
            return real(host, *arguments, flags=flags, **more)
        names.append(host)
        end.wait()
        return real("127.0.0.1", None, **more)

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield names, end
    end.set()


async def test_a_server_on_this_host_is_reached_whatever_lookups_hang(silent_name_servers):
    many = [asyncio.create_task(dial(Endpoint(f"db{n}.invalid", 80), 0.4)) for n in range(40)]
    await asyncio.sleep(0.1)
    assert len(silent_name_servers[0]) > 20  # all of them in the end; a thread takes a while to begin
    with socket.create_server(("127.0.0.1", 0)) as server:
        for name in ("localhost", "LocalHost.", "shop.localhost"):
            connection, took_s = await dial(Endpoint(name, server.getsockname()[1]), 1.0)
            connection.close()
            assert took_s < 0.5
    assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 1) == "free"
    ends = await asyncio.gather(*many, return_exceptions=True)
    assert all(isinstance(end, ProbeError) and "could not be resolved within 0.4 s" in str(end) for end in ends)
    assert len(silent_name_servers[0]) == 40


async def test_a_name_that_hangs_is_asked_for_once_and_its_late_answer_serves_all(silent_name_servers):
    names, end = silent_name_servers
    for _ in range(5):
        with pytest.raises(ProbeError, match=r"slow\.invalid could not be resolved within"):
            await dial(Endpoint("slow.invalid", 80), 0.02)
    waiting = asyncio.gather(resolve(Endpoint("slow.invalid", 80)), resolve(Endpoint("slow.invalid", 443)))
    await asyncio.sleep(0.02)
    end.set()
    assert await waiting == [[(socket.AF_INET, ("127.0.0.1", 80))], [(socket.AF_INET, ("127.0.0.1", 443))]]
    assert names == ["slow.invalid"]


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a..b", "x" * 70])
async def test_a_name_that_does_not_resolve_tells_nothing_about_who_has_it(name):
    with pytest.raises(ProbeError, match="could not be resolved"):
        await dial(Endpoint(name, 80), 5.0)


async def test_what_was_slow_to_resolve_is_not_called_slow_to_connect(monkeypatch):
    def slow(_name):
        time.sleep(0.06)
        return [(socket.AF_INET, ("127.0.0.1", 0))]

    monkeypatch.setattr(dialling, "_looked_up", slow)
    monkeypatch.setattr(dialling, "connected", lambda *_: asyncio.sleep(1))
    with pytest.raises(ProbeError, match=r"to resolve db\.invalid took"):
        await dial(Endpoint("db.invalid", 80), 0.1)


async def test_localhost_without_a_listener_refuses_and_without_ipv6_is_ipv4(monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    connected = dialling.connected

    async def only_ipv4(family, address, attempt):
        if family == socket.AF_INET6:
            raise OSError(99, "Cannot assign requested address")
        return await connected(family, address, attempt)

    monkeypatch.setattr(dialling, "connected", only_ipv4)
    assert (await dial(Endpoint("localhost", port), 1.0)).refused
    monkeypatch.setattr(dialling, "IPV6", tmp_path / "none")
    assert await resolve(Endpoint("localhost", 80)) == [(socket.AF_INET, ("127.0.0.1", 80))]
