"""How connections come to nothing: real ones, in a network namespace with a packet filter (needs root)."""

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest

from guardian_agent.host.dialling import dropped_here, numeric, reason

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
