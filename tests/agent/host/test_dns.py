"""Questions to a name server on loopback that answers as a test wants."""

import asyncio
import errno
import socket
import struct
from contextlib import asynccontextmanager

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host import dns

A, AAAA = 1, 28


class Server(asyncio.DatagramProtocol):
    def __init__(self, answers):
        self.answers, self.questions = answers, []

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.questions.append(data)
        for answer in self.answers(data, len(self.questions)):
            self.transport.sendto(answer, address)


@asynccontextmanager
async def serving(answers):
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: Server(answers), ("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1], server
    finally:
        transport.close()
        await asyncio.sleep(0)


def answer(question, *records, code=0, number=None):
    own = struct.unpack_from("!H", question)[0] if number is None else number
    return struct.pack("!HHHHHH", own, 0x8180 | code, 1, len(records), 0, 0) + question[12:] + b"".join(records)


def record(kind, content, name=b"\xc0\x0c"):
    return name + struct.pack("!HHIH", kind, 1, 60, len(content)) + content


async def ask(port, name="shop.bed", kind="A", timeout_s=2.0):
    return await dns.ask("127.0.0.1", name, kind, timeout_s, port=port)


async def test_the_question_is_one_that_any_server_understands():
    async with serving(lambda question, _: [answer(question)]) as (port, server):
        await ask(port)
        await ask(port, ".", "NS")
    first, second = server.questions
    assert first[2:] == bytes.fromhex("0100 0001 0000 0000 0000") + b"\x04shop\x03bed\0" + bytes.fromhex("0001 0001")
    assert second[2:] == bytes.fromhex("0100 0001 0000 0000 0000") + b"\0" + bytes.fromhex("0002 0001")
    assert first[:2] != second[:2]


@pytest.mark.parametrize("code", range(6))
async def test_each_code_has_its_name(code):
    async with serving(lambda question, _: [answer(question, code=code)]) as (port, _):
        assert (await ask(port)).code == dns.CODES[code]


async def test_the_addresses_are_those_of_the_kind_that_was_asked_for():
    alias = record(5, b"\x03www\xc0\x0c")
    v4 = record(A, socket.inet_aton("10.0.0.1"), b"\x03www\x04shop\x03bed\0")
    v6 = record(AAAA, socket.inet_pton(socket.AF_INET6, "2001:db8::1"))
    async with serving(lambda question, _: [answer(question, alias, v4, v6)]) as (port, _):
        assert (await ask(port)).addresses == ("10.0.0.1",)
        assert (await ask(port, kind="AAAA")).addresses == ("2001:db8::1",)


async def test_what_is_no_answer_to_this_question_is_passed_over():
    def answers(question, _):
        return [
            b"",
            b"\0" * 12,
            question,
            answer(question, number=0 if question[:2] != b"\0\0" else 1),
            answer(question),
        ]

    async with serving(answers) as (port, _):
        assert (await ask(port)).code == "NOERROR"


@pytest.mark.parametrize("cut", [1, 5, 11, 14])
async def test_an_answer_that_is_cut_off_is_none(cut):
    whole = record(A, socket.inet_aton("10.0.0.1"))
    async with serving(lambda question, _: [answer(question, whole)[:-cut]]) as (port, _):
        assert (await ask(port, timeout_s=0.1)).reason == "no answer within 0.1 s"


async def test_a_question_that_was_lost_is_asked_again():
    async with serving(lambda question, times: [answer(question)] if times == 2 else []) as (port, server):
        assert (await ask(port, timeout_s=0.2)).code == "NOERROR"
        assert len(server.questions) == 2


async def test_a_closed_port_refuses():
    async with serving(lambda *_: []) as (port, _):
        pass
    assert (await ask(port)).reason == "Connection refused"


async def test_what_cannot_be_asked_is_said():
    with pytest.raises(ProbeError, match="name server has an address"):
        await dns.ask("here", "a", "A", 1.0)
    for name in ("a" * 64, "ä" * 64, ".".join(["abcdefg"] * 40)):
        with pytest.raises(ProbeError, match="no name of a host"):
            await dns.ask("127.0.0.1", name, "A", 1.0)


async def test_a_lack_of_our_own_says_nothing_of_the_server(monkeypatch):
    class Lacking:
        def __init__(self, *_):
            raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(dns.socket, "socket", Lacking)
    with pytest.raises(ProbeError, match="Too many open files"):
        await dns.ask("127.0.0.1", "a", "A", 1.0)


async def test_in_a_flood_of_stray_packets_the_time_limit_holds(monkeypatch):
    reads = 0

    async def at_once(*_):
        nonlocal reads
        reads += 1
        assert reads < 1_000_000
        return b"stray"

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_recv", at_once)
    monkeypatch.setattr(dns, "MOST_STRAY", 10_000_000)
    async with serving(lambda *_: []) as (port, _):
        assert (await ask(port, timeout_s=0.1)).reason == "no answer within 0.1 s"
        monkeypatch.setattr(dns, "MOST_STRAY", 50)
        with pytest.raises(ProbeError, match="more than 50 packets"):
            await ask(port)
