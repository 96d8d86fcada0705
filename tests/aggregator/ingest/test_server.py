"""Who gets as far as speaking: addresses and certificates."""

import asyncio
import socket

import grpc
import pytest
from tests.aggregator.ingest.outbox import Outbox, connected, page
from tests.authority import Authority, write

from guardian_aggregator.config import Certificates
from guardian_aggregator.errors import ConfigError, GuardianError
from guardian_aggregator.ingest import FleetService, GrpcServer, check_certificates


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def certificates(authority, tmp_path):
    certificate, key = authority.issue("hub.example")
    files = write(tmp_path, certificate_file=certificate, key_file=key, ca_file=authority.pem)
    return Certificates(**files)


@pytest.fixture
async def tls_address(service, certificates):
    server = GrpcServer(service, "127.0.0.1", 0, certificates)
    yield await server.start()
    await server.stop(0)


def credentials(authority: Authority, *names: str, signed_by: Authority | None = None) -> grpc.ChannelCredentials:
    """An agent's: it trusts `authority`, and has a certificate for `names` signed by that or another one."""
    certificate, key = (signed_by or authority).issue(*names)
    return grpc.ssl_channel_credentials(authority.pem, key, certificate)


@pytest.fixture
def outbox():
    outbox = Outbox()
    outbox.add(page(1))
    return outbox


@pytest.mark.parametrize("names", [["guardian://web-1"], ["web-1", "guardian://web-1"], ["web-1.example"]])
async def test_an_agent_with_its_certificate_is_taken(tls_address, authority, outbox, names):
    async with connected(tls_address, credentials(authority, *names), "hub.example") as agent:
        assert await agent.greet(outbox) == 0
        assert await agent.send(outbox.batch(1, 1)) == 1


@pytest.mark.parametrize("name", ["guardian://web-2", "urn:guardian:web-2", "urn:guardian:web-1"])
async def test_a_certificate_for_another_agent_is_refused(tls_address, authority, outbox, name):
    async with connected(tls_address, credentials(authority, "web-1", name), "hub.example") as agent:
        refusal = await agent.refused(outbox.hello())
        assert agent.code(refusal) == "WRONG_IDENTITY"
        assert name in refusal.detail


async def test_a_certificate_of_another_authority_gets_no_word(tls_address, authority, outbox):
    other = credentials(authority, "guardian://web-1", signed_by=Authority("another"))
    await _unheard(tls_address, other, outbox)


async def test_without_a_certificate_one_gets_no_word(tls_address, authority, outbox):
    await _unheard(tls_address, grpc.ssl_channel_credentials(authority.pem), outbox)


async def test_an_agent_that_trusts_another_authority_does_not_speak(tls_address, outbox):
    await _unheard(tls_address, credentials(Authority("another"), "guardian://web-1"), outbox)


async def test_in_the_clear_one_gets_no_word(tls_address, outbox):
    await _unheard(tls_address, None, outbox)


async def _unheard(address, credentials, outbox):
    name = None if credentials is None else "hub.example"
    async with connected(address, credentials, name) as agent:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await agent.say(outbox.hello())
        assert error.value.code() == grpc.StatusCode.UNAVAILABLE


def test_good_certificates_pass(certificates):
    check_certificates(certificates)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("key_file", None, "grpc.key_file: FILE: No such file or directory"),
        ("key_file", b"nonsense", "are not a certificate and its key"),
        ("key_file", "another", "are not a certificate and its key: key values mismatch"),
        ("certificate_file", b"", "are not a certificate and its key"),
        ("ca_file", b"nonsense", "grpc.ca_file: FILE has no certificate that can be read"),
        ("ca_file", b"", "grpc.ca_file: FILE has no certificate that can be read"),
    ],
)
async def test_bad_certificates_are_one_clear_line(service, certificates, authority, file, content, said):
    path = getattr(certificates, file)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(authority.issue("hub.example")[1] if content == "another" else content)
    with pytest.raises(ConfigError) as error:
        await GrpcServer(service, "127.0.0.1", 0, certificates).start()
    (problem,) = error.value.problems
    assert said.replace("FILE", str(path)) in problem


async def test_an_address_in_use_is_one_clear_line(service):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(GuardianError, match=f"127.0.0.1:{port} cannot be listened on"):
            await GrpcServer(service, "127.0.0.1", port, None).start()


async def test_a_second_server_on_the_port_is_an_error_too(store):
    first = GrpcServer(FleetService(store), "127.0.0.1", 0, None)
    port = int((await first.start()).rsplit(":", 1)[1])
    with pytest.raises(GuardianError):
        await GrpcServer(FleetService(store), "127.0.0.1", port, None).start()
    await first.stop(0)


async def test_who_does_not_answer_a_ping_is_left(service):
    server = GrpcServer(service, "127.0.0.1", 0, None, ping_s=0.2, pong_s=0.2)
    host, _, port = (await server.start()).rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))  # and empty SETTINGS
    async with asyncio.timeout(10):
        await reader.read()  # to its end
    writer.close()
    await server.stop(0)


async def test_ipv6_is_served(service, outbox):
    server = GrpcServer(service, "::1", 0, None)
    address = await server.start()
    async with connected(address) as agent:
        assert await agent.greet(outbox) == 0
    await server.stop(0)
