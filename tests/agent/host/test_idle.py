"""Connections over which nothing is said: to a server on loopback, and through a packet filter (needs root)."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest

from guardian_agent.host.clients import LocalClients
from guardian_agent.model import Endpoint

FORGETFUL = """
add table ip stray
add set ip stray young { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 300ms; }
add chain ip stray input { type filter hook input priority 0; }
add rule ip stray input tcp dport 6379 tcp flags & (syn | ack) == syn update @young { ip saddr . tcp sport }
add rule ip stray input tcp dport 6379 ip saddr . tcp sport != @young VERDICT
"""
CHILD = """
import asyncio, json, socket
import msgspec
from guardian_agent.host.clients import LocalClients
from guardian_agent.model import Endpoint

async def main():
    with socket.create_server(("10.78.0.1", 6379)):
        return await LocalClients().hold(Endpoint("10.78.0.1", 6379), 1.0, 1.5)

print(json.dumps(msgspec.to_builtins(asyncio.run(main()))))
"""


@asynccontextmanager
async def server(then):
    async def serve(reader, writer):
        await then(reader, writer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as running:
        yield Endpoint(*running.sockets[0].getsockname())
        await asyncio.sleep(0.01)


async def waits(reader, _writer):
    await reader.read()


async def greets(reader, writer):
    writer.write(b"220 here\r\n")
    await reader.read()


async def ends(_reader, _writer):
    await asyncio.sleep(0.05)


async def talks(_reader, writer):
    for _ in range(100):
        writer.write(b"tick")
        await asyncio.sleep(0.001)


async def resets(_reader, writer):
    await asyncio.sleep(0.05)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0" + bytes(4))


@pytest.mark.parametrize(
    ("then", "broken", "not_held"),
    [
        (waits, "", ""),
        (greets, "", ""),
        (ends, "", "the server ends a connection over which nothing is said"),
        (talks, "", "the server talks by itself"),
        (resets, "Connection reset by peer", ""),
    ],
)
async def test_what_becomes_of_a_connection_over_which_nothing_is_said(then, broken, not_held):
    async with server(then) as endpoint:
        held = await LocalClients().hold(endpoint, 1.0, 1.2)
    assert (held.answer.connected, held.broken, held.not_held) == (True, broken, not_held)


async def test_where_nobody_listens_nothing_is_held():
    async with server(waits) as endpoint:
        pass
    assert (await LocalClients().hold(endpoint, 1.0, 1.0)).answer.refused


@pytest.fixture
def inside():
    if os.geteuid() != 0 or shutil.which("nft") is None:
        pytest.skip("makes network namespaces and packet filters, so needs root and nft")
    name = f"guardian-idle-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        lines = "link set lo up\naddr add 10.78.0.1/32 dev lo\n"
        subprocess.run(["ip", "-n", name, "-batch", "-"], input=lines, text=True, check=True)

        def run(*command):
            argv = ["ip", "netns", "exec", name, *command]
            return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout

        yield run
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.mark.parametrize(
    ("verdict", "broken"),
    [
        ("drop", "the other side knows nothing of it: no answer to a keep-alive packet"),
        ("reject with tcp reset", "Connection reset by peer"),
        ("accept", ""),
    ],
)
def test_a_packet_filter_that_forgets_connections_is_seen_though_nothing_is_said(inside, verdict, broken):
    inside("nft", FORGETFUL.replace("VERDICT", verdict))
    held = json.loads(inside(sys.executable, "-c", CHILD))
    assert (held["answer"]["connected"], held["broken"]) == (True, broken)
