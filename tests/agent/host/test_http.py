import asyncio
import datetime
import socket
import ssl
from contextlib import asynccontextmanager, closing, suppress
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from guardian_agent.errors import ProbeError
from guardian_agent.host import http
from guardian_agent.host.sockets import LocalSockets


@pytest.fixture
def sockets():
    with closing(LocalSockets()) as sockets:
        yield sockets


@asynccontextmanager
async def server(answer=b"", *, then="close", tls=None):
    """Serves one fixed answer; yields its port and the requests that came."""
    heads = []
    done = asyncio.Event()
    serving = set()

    async def serve(reader, writer):
        serving.add(asyncio.current_task())
        try:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.close()
            return
        writer.write(answer)
        if then == "hang":
            await done.wait()
        if then == "reset":
            linger = (1).to_bytes(4, "little") + bytes(4)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    running = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with running:
        yield running.sockets[0].getsockname()[1], heads
        done.set()
        await asyncio.gather(*serving)


async def test_it_asks_properly_and_returns_the_status(sockets):
    async with server(b"HTTP/1.1 204 No Content\r\n\r\n") as (port, heads):
        answer = await sockets.http_get(f"http://127.0.0.1:{port}/health?deep=1", 1.0)
    assert (answer.connected, answer.status, answer.broken) == (True, 204, "")
    assert answer.elapsed_s > 0
    assert heads[0].startswith(f"GET /health?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode())
    assert b"\r\nConnection: close\r\n" in heads[0]


@pytest.mark.parametrize("line", [b"HTTP/1.0 200\r\n", b"HTTP/1.1 503 \xff\r\n", b"HTTP/1.1 302 Found\n"])
async def test_status_lines_of_all_kinds(sockets, line):
    async with server(line) as (port, _):
        assert (await sockets.http_get(f"http://127.0.0.1:{port}", 1.0)).status == int(line[9:12])


async def test_the_body_is_not_waited_for(sockets):
    async with server(b"HTTP/1.1 200 OK\r\n", then="hang") as (port, _):
        assert (await sockets.http_get(f"http://127.0.0.1:{port}/", 5.0)).status == 200


@pytest.mark.parametrize(
    ("said", "then", "broken"),
    [
        (b"", "close", "closed without an answer"),
        (b"HTTP/1.1 2", "close", "closed within the status line"),
        (b"SSH-2.0-OpenSSH\r\n", "close", "not HTTP: b'SSH-2.0-OpenSSH\\r\\n'"),
        (b"x" * 100_000, "hang", "not HTTP"),
        (b"", "reset", "Connection reset by peer"),
    ],
)
async def test_what_is_no_answer_is_broken(sockets, said, then, broken):
    async with server(said, then=then) as (port, _):
        answer = await sockets.http_get(f"http://127.0.0.1:{port}/", 5.0)
    assert answer.connected
    assert answer.status is None
    assert broken in answer.broken


async def test_silence_is_no_answer_in_time_and_not_broken(sockets):
    async with server(then="hang") as (port, _):
        answer = await sockets.http_get(f"http://127.0.0.1:{port}/", 0.05)
    assert (answer.connected, answer.status, answer.broken, answer.timed_out) == (True, None, "", False)


async def test_a_refused_connection_is_told_apart(sockets):
    async with server() as (port, _):
        pass
    answer = await sockets.http_get(f"http://127.0.0.1:{port}/", 1.0)
    assert (answer.connected, answer.refused) == (False, True)


@pytest.mark.parametrize(
    "url", ["ftp://h/", "http://", "http://h:99999/", "http://u:p@h/", "http://h/a b", "http://h/ä", "/x"]
)
async def test_a_url_that_cannot_be_asked_for_is_said(sockets, url):
    with pytest.raises(ProbeError, match=r"http|Port"):
        await sockets.http_get(url, 1.0)


@pytest.fixture
def certificate(tmp_path):
    """A server's TLS context, and the file that a client would have to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(
        now + datetime.timedelta(days=1)
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    file = tmp_path / "server.pem"
    file.write_bytes(
        builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, file


async def test_https_with_a_trusted_certificate(sockets, certificate, monkeypatch):
    context, file = certificate
    monkeypatch.setattr(http, "_system_trust", cache(lambda: ssl.create_default_context(cafile=file)))
    async with server(b"HTTP/1.1 200 OK\r\n\r\n", tls=context) as (port, heads):
        answer = await sockets.http_get(f"https://localhost:{port}/", 5.0)
    assert (answer.status, answer.broken) == (200, "")
    assert f"Host: localhost:{port}\r\n".encode() in heads[0]


async def test_https_with_an_unknown_certificate_is_broken(sockets, certificate):
    async with server(tls=certificate[0]) as (port, _):
        answer = await sockets.http_get(f"https://localhost:{port}/", 5.0)
    assert answer.connected
    assert answer.broken.startswith("TLS: ")


async def test_https_to_a_plain_server_is_broken(sockets):
    async with server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (port, _):
        # Its end of the request never comes, so the server is told nothing that it would answer.
        answer = await sockets.http_get(f"https://localhost:{port}/", 0.3)
    assert answer.connected
    assert answer.status is None
