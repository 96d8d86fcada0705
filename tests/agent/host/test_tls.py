"""TLS on loopback: what clients accept, and what they can take up again."""

import asyncio
import datetime
import ssl
from contextlib import asynccontextmanager

import pytest
from tests.agent.host.issuing import authority, issued

from guardian_agent.errors import ProbeError
from guardian_agent.host.clients import LocalClients
from guardian_agent.host.tls import Secured
from guardian_agent.model import Endpoint

YESTERDAY = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def root():
    return authority()


@pytest.fixture
def ca_file(root, tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text(root.certificate)
    return str(file)


@asynccontextmanager
async def serving(tmp_path, made, *, set_up=lambda context: None):
    """A TLS server that presents that; its endpoint."""
    file = tmp_path / "server.pem"
    file.write_text(made if isinstance(made, str) else made.both)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    set_up(context)

    async def serve(reader, writer):
        writer.close()

    def quiet(_loop, _context):
        """A client that refuses us is what is tested here, and no error of the server's."""

    asyncio.get_running_loop().set_exception_handler(quiet)
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield Endpoint(*server.sockets[0].getsockname())


async def presented(endpoint, ca_file, name="shop.example"):
    return await LocalClients().presented(endpoint, 5.0, name=name, ca_file=ca_file)


@pytest.mark.parametrize("name", ["shop.example", "127.0.0.1", None])
async def test_what_is_good_is_accepted_and_its_end_told(root, ca_file, tmp_path, name):
    made = issued(root, "shop.example", "127.0.0.1")
    async with serving(tmp_path, made) as endpoint:
        answer = await presented(endpoint, ca_file, name)
    assert (answer.answer.connected, answer.problem) == (True, "")
    assert answer.not_after_wall_s == made.of.not_valid_after_utc.timestamp()


async def test_an_expired_one_is_expired(root, ca_file, tmp_path):
    async with serving(tmp_path, issued(root, "shop.example", until=YESTERDAY)) as endpoint:
        answer = await presented(endpoint, ca_file)
    assert (answer.problem, answer.reason, answer.not_after_wall_s) == ("expired", "certificate has expired", None)


@pytest.mark.parametrize("name", ["shop.example", "127.0.0.1"])
async def test_one_for_another_name_is_not_trusted(root, ca_file, tmp_path, name):
    async with serving(tmp_path, issued(root, "elsewhere.example")) as endpoint:
        answer = await presented(endpoint, ca_file, name)
        assert answer.problem == "not_trusted"
        assert "mismatch" in answer.reason
        assert (await presented(endpoint, ca_file, None)).problem == ""


async def test_one_of_a_stranger_is_not_trusted(ca_file, tmp_path):
    async with serving(tmp_path, issued(authority(name="stranger"), "shop.example")) as endpoint:
        assert (await presented(endpoint, ca_file)).problem == "not_trusted"
        assert (await presented(endpoint, None)).problem == "not_trusted"


async def test_one_whose_chain_is_cut_is_not_trusted(root, ca_file, tmp_path):
    between = authority(above=root, name="between")
    leaf = issued(between, "shop.example")
    async with serving(tmp_path, leaf) as endpoint:
        assert (await presented(endpoint, ca_file)).problem == "not_trusted"
    async with serving(tmp_path, leaf.both + between.certificate) as endpoint:
        assert (await presented(endpoint, ca_file)).problem == ""


async def test_a_file_of_authorities_that_has_changed_is_read_again(root, tmp_path):
    file = tmp_path / "changing.pem"
    file.write_text(authority(name="stranger").certificate)
    async with serving(tmp_path, issued(root, "shop.example")) as endpoint:
        assert (await presented(endpoint, str(file))).problem == "not_trusted"
        await asyncio.sleep(0.02)
        file.write_text(root.certificate)
        assert (await presented(endpoint, str(file))).problem == ""


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_file_of_authorities_that_cannot_be_used_is_no_verdict(tmp_path, content):
    file = tmp_path / "bad.pem"
    if content:
        file.write_text(content)
    with pytest.raises(ProbeError, match="bad"):
        await presented(Endpoint("127.0.0.1", 1), str(file))


@asynccontextmanager
async def saying(data, *, then_hang=False):
    done = asyncio.Event()

    async def serve(reader, writer):
        await reader.read(1)
        writer.write(data)
        if then_hang:
            await done.wait()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield Endpoint(*server.sockets[0].getsockname())
        done.set()
        await asyncio.sleep(0)


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_what_is_no_tls_makes_no_handshake(ca_file, data):
    async with saying(data) as endpoint:
        answer = await presented(endpoint, ca_file)
        assert (answer.answer.connected, answer.problem) == (True, "handshake")
        assert answer.reason
        assert (await LocalClients().resumed(endpoint, 5.0, name=None)).reason


async def test_silence_makes_no_handshake(ca_file):
    async with saying(b"", then_hang=True) as endpoint:
        answer = await LocalClients().presented(endpoint, 0.1, name=None, ca_file=ca_file)
        assert (answer.problem, answer.reason) == ("handshake", "no end of it within 0.1 s")
        assert "within 0.1 s" in (await LocalClients().resumed(endpoint, 0.1, name=None)).reason


async def test_where_nobody_listens_nothing_is_presented(ca_file):
    async with saying(b"") as endpoint:
        pass
    assert (await presented(endpoint, ca_file)).answer.refused
    assert (await LocalClients().resumed(endpoint, 1.0, name=None)).answer.refused


def only_1_2(context):
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def only_1_3(context):
    context.minimum_version = ssl.TLSVersion.TLSv1_3


def nothing_of(set_up):
    def both(context):
        set_up(context)
        context.options |= ssl.OP_NO_TICKET
        if set_up is only_1_3:
            context.num_tickets = 0

    return both


@pytest.mark.parametrize(("set_up", "version"), [(only_1_2, "TLSv1.2"), (only_1_3, "TLSv1.3")])
async def test_a_session_is_taken_up_again_where_the_server_remembers(root, tmp_path, set_up, version):
    clients = LocalClients()
    async with serving(tmp_path, issued(root, "shop.example"), set_up=set_up) as endpoint:
        answer = await clients.resumed(endpoint, 5.0, name="shop.example")
    assert (answer.resumed, answer.ever, answer.version) == (True, True, version)


@pytest.mark.parametrize("set_up", [only_1_2, only_1_3])
async def test_a_server_that_no_longer_remembers_is_told_from_one_that_never_did(root, tmp_path, set_up, monkeypatch):
    clients, made = LocalClients(), issued(root, "shop.example")
    async with serving(tmp_path, made, set_up=nothing_of(set_up)) as endpoint:
        # OpenSSL's server keeps sessions of 1.2 in its memory even without tickets; Python cannot turn that off.
        monkeypatch.setattr(Secured, "session", no_session)
        answer = await clients.resumed(endpoint, 5.0, name=None)
        assert (answer.resumed, answer.ever, answer.reason) == (False, False, "")
        clients._once_resumed.add(endpoint)
        answer = await clients.resumed(endpoint, 5.0, name=None)
        assert (answer.resumed, answer.ever) == (False, True)


async def no_session(_self):
    return None


async def test_a_server_that_never_stops_sending_keeps_nobody_from_their_turn(monkeypatch):
    secured, reads, turns = Secured(None, None, None), [], []

    async def at_once(*_):
        reads.append(len(turns))
        assert len(reads) < 1000
        return b"more"

    class NoTicket:
        session = None

        def version(self):
            return "TLSv1.3"

        def read(self, _bytes):
            asyncio.get_running_loop().call_soon(turns.append, 1)
            return b"more"

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_recv", at_once)
    secured.tls = NoTicket()
    assert await secured.session() is None
    assert len(reads) == 16 and reads[-1] == 14
