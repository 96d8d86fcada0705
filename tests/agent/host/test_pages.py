"""HTTP answers of all kinds from a server on loopback, read to their end; and connections that are held."""

import asyncio
import gzip
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from functools import cache

import pytest
from tests.agent.host.issuing import authority, issued

from guardian_agent.host import http, pages
from guardian_agent.host.clients import LocalClients

BODY = b'{"shop": 1}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CLOSING = b"Connection: close\r\n"


def with_length(body, length=None):
    return HEAD + b"Content-Length: %d\r\n\r\n" % (len(body) if length is None else length) + body


def chunked(*chunks, last=b"0\r\n\r\n"):
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + last


@asynccontextmanager
async def server(*answers, then="wait", address="127.0.0.1", tls=None):
    """Gives each connection those answers, one a request; then closes, resets, hangs, or waits for the client's end."""
    heads = []

    async def serve(reader, writer):
        with suppress(OSError, asyncio.IncompleteReadError):
            for answer in answers:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(answer)
                await writer.drain()
            if then == "reset":
                linger = (1).to_bytes(4, "little") + bytes(4)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            if then == "wait":
                await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, address, 0, ssl=tls) as running:
        yield running.sockets[0].getsockname()[1], heads
        await asyncio.sleep(0.01)


async def page(port, within_s=2.0, **more):
    return await LocalClients().page(f"http://127.0.0.1:{port}/health", within_s, **more)


@pytest.mark.parametrize(
    "answer",
    [
        with_length(BODY),
        chunked(BODY[:3], BODY[3:]),
        HEAD
        + b"Transfer-Encoding: Chunked\r\n\r\n3;x=y\r\n"
        + BODY[:3]
        + b"\r\n8\r\n"
        + BODY[3:]
        + b"\r\n0\r\nA: b\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + with_length(BODY),
        with_length(BODY).replace(b"\r\n", b"\n"),
    ],
)
async def test_a_page_is_read_to_its_end_and_no_further(answer):
    async with server(answer) as (port, heads):
        answer = await page(port)
    assert (answer.answer.status, answer.answer.broken, answer.incomplete, answer.in_time) == (200, "", "", True)
    assert (answer.body, answer.cut) == (BODY, False)
    assert answer.headers["content-type"] == "application/json"
    assert heads[0].startswith(b"GET /health HTTP/1.1\r\n")
    assert b"\r\nAccept-Encoding: gzip\r\n" in heads[0]
    assert b"\r\nConnection: close\r\n" in heads[0]


async def test_a_page_without_a_length_ends_with_the_connection():
    async with server(HEAD + b"\r\n" + BODY, then="close") as (port, _):
        assert (await page(port)).body == BODY


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_some_answers_have_no_body_whatever_they_announce(status):
    async with server(HEAD.replace(b"200 OK", status) + b"Content-Length: 9\r\n\r\n") as (port, _):
        answer = await page(port)
    assert (answer.body, answer.incomplete, answer.in_time) == (b"", "", True)


async def test_a_body_is_given_as_it_was_sent():
    zipped = gzip.compress(BODY)
    async with server(with_length(zipped)) as (port, _):
        assert (await page(port)).body == zipped


@pytest.mark.parametrize(
    ("answer", "incomplete"),
    [
        (with_length(BODY, 111), "ended after 11 of 111 bytes"),
        (HEAD + b"Content-Length: some\r\n\r\n", "Content-Length: 'some'"),
        (chunked(BODY, last=b""), "ended without a last chunk, after 11 bytes"),
        (chunked(BODY, last=b"f\r\nabc"), "ended within a chunk, after 14 bytes"),
        (chunked(BODY, last=b"zz\r\n"), "a chunk of b'zz' bytes, after 11 bytes"),
    ],
)
async def test_what_ends_before_its_end_is_incomplete(answer, incomplete):
    async with server(answer, then="close") as (port, _):
        assert (await page(port)).incomplete == incomplete


async def test_a_reset_within_the_body_is_incomplete():
    async with server(with_length(BODY, 111), then="reset") as (port, _):
        assert "reset" in (await page(port)).incomplete


@pytest.mark.parametrize(
    "answer", [with_length(b"x" * 100), chunked(b"x" * 60, b"x" * 40), HEAD + b"\r\n" + b"x" * 100]
)
async def test_of_a_long_page_no_more_than_the_limit_is_read(answer):
    async with server(answer, then="close") as (port, _):
        cut = await page(port, limit_bytes=80)
    assert (cut.body, cut.cut, cut.incomplete) == (b"x" * 80, True, "")


async def test_a_page_that_does_not_end_in_time_is_told_apart():
    async with server(with_length(BODY, 111)) as (port, _):
        answer = await page(port, 0.1)
    assert (answer.answer.status, answer.in_time, answer.incomplete, answer.body) == (200, False, "", BODY)


@pytest.mark.parametrize(
    ("answer", "broken"),
    [
        (b"", "closed without an answer"),
        (b"SSH-2.0\r\n", "not HTTP"),
        (HEAD, "closed within the head"),
        (HEAD + b"A: b\r\n" * 300 + b"\r\n", "more than 200 lines"),
        (b"x" * 50_000, "not HTTP"),
    ],
)
async def test_what_is_no_answer_is_broken(answer, broken):
    async with server(answer, then="close") as (port, _):
        said = (await page(port)).answer
    assert said.connected
    assert broken in said.broken


async def test_a_server_may_be_asked_at_another_address():
    async with server(with_length(BODY), address="127.0.0.2") as (port, heads):
        assert (await page(port)).answer.refused
        assert (await page(port, through="127.0.0.2")).body == BODY
    assert f"Host: 127.0.0.1:{port}".encode() in heads[0]


async def test_pages_over_tls(tmp_path, monkeypatch):
    root = authority()
    (tmp_path / "ca.pem").write_text(root.certificate)
    (tmp_path / "server.pem").write_text(issued(root, "localhost").both)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with monkeypatch.context() as patch:
        patch.setattr(http, "_system_trust", cache(lambda: ssl.create_default_context(cafile=tmp_path / "ca.pem")))
        async with server(with_length(BODY), with_length(BODY), tls=context) as (port, _):
            assert (await LocalClients().page(f"https://localhost:{port}/", 5.0)).body == BODY
            assert (await LocalClients().hold_page(f"https://localhost:{port}/", 5.0, 0.05)).broken == ""
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the server minds that it is refused
    async with server(tls=context) as (port, _):
        said = (await LocalClients().page(f"https://localhost:{port}/", 5.0)).answer
    assert said.broken.startswith("TLS: ")


async def hold(port, hold_s=0.05, within_s=0.5):
    return await LocalClients().hold_page(f"http://127.0.0.1:{port}/", within_s, hold_s)


@pytest.mark.parametrize("answer", [with_length(BODY), chunked(BODY), HEAD.replace(b"200 OK", b"204 No") + b"\r\n"])
async def test_a_connection_that_answers_again_was_held(answer):
    async with server(answer, answer) as (port, heads):
        held = await hold(port)
    assert (held.broken, held.not_held) == ("", "")
    assert held.answer.connected
    assert 0.05 <= held.held_s < 1
    assert b"Connection: close" not in heads[0]
    assert b"Connection: close" in heads[1]


@pytest.mark.parametrize(
    ("answers", "then", "broken"),
    [
        ([with_length(BODY)], "reset", "Connection reset by peer"),
        ([with_length(BODY)], "wait", "no answer within 0.5 s"),
        ([with_length(BODY), b""], "close", "closed without an answer"),
    ],
)
async def test_a_connection_that_does_not_last_was_broken(answers, then, broken):
    async with server(*answers, then=then) as (port, _):
        held = await hold(port)
    assert (held.answer.status, held.not_held) == (200, "")
    assert held.broken == broken


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (with_length(BODY), "ends a connection over which nothing is said"),
        (with_length(BODY) + b"HTTP/1.1 408 Request Timeout\r\n\r\n", "says something that nobody asked for"),
        (with_length(BODY).replace(b"\r\n", b"\r\n" + CLOSING, 1), "closes after each answer"),
        (HEAD + b"\r\n" + BODY, "closes after each answer"),
        (with_length(BODY).replace(b"1.1", b"1.0"), "speaks HTTP/1.0"),
        (with_length(BODY).replace(b"\r\n", b"\r\nKeep-Alive: timeout=1, max=9\r\n", 1), "keeps connections for 1 s"),
        (with_length(b"x" * (pages.KEPT_BYTES + 1)), "more than"),
    ],
)
async def test_a_server_is_not_held_to_what_it_never_promised(answer, why):
    async with server(answer, then="close") as (port, _):
        held = await hold(port, hold_s=1.5)
    assert held.broken == ""
    assert why in held.not_held


async def test_an_old_server_that_promises_to_keep_the_connection_is_held_to_it():
    answer = with_length(BODY).replace(b"1.1", b"1.0").replace(b"\r\n", b"\r\nConnection: Keep-Alive\r\n", 1)
    async with server(answer, then="reset") as (port, _):
        assert (await hold(port)).broken == "Connection reset by peer"


async def test_a_connection_that_never_was_good_cannot_be_held():
    async with server(b"SSH-2.0\r\n", then="close") as (port, _):
        assert "not HTTP" in (await hold(port)).answer.broken
    assert (await hold(port)).answer.refused
    async with server() as (port, _):
        held = await hold(port, within_s=0.05)
    assert (held.answer.connected, held.answer.status, held.broken) == (True, None, "")
