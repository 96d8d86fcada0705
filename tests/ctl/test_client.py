import asyncio
import socket
import ssl

import pytest
from tests.ctl.conftest import FakeApi

from guardian_ctl.client import Client, check_url
from guardian_ctl.errors import CtlError, WrongUsageError


async def ask(url: str, path: str = "/x", timeout_s: float = 5.0) -> str:
    async with Client(url, timeout_s) as client:
        return (await client.get(path, [("a", "1"), ("label.b", "c d")])).text


async def test_an_answer_comes_as_it_was_sent(api: FakeApi) -> None:
    api.at("/x", '{"b":1,  "a":2}')
    assert await ask(api.url + "/") == '{"b":1,  "a":2}'
    assert api.asked == [("/x", [("a", "1"), ("label.b", "c d")])]


async def test_a_refused_parameter_is_wrong_usage_in_the_words_of_the_api(api: FakeApi) -> None:
    api.at("/x", {"title": "Bad Request", "detail": "window: must be one of 1h"}, 400)
    with pytest.raises(WrongUsageError, match=r"^window: must be one of 1h$"):
        await ask(api.url)


async def test_any_other_problem_is_its_detail(api: FakeApi) -> None:
    api.at("/x", {"title": "Not Found", "detail": "no such incident"}, 404)
    with pytest.raises(CtlError, match=r"^no such incident$") as caught:
        await ask(api.url)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("answer", "status"), [("<html>", 200), ("[1]", 200), ("<html>", 502), ("{}", 500), ('"x"', 799)]
)
async def test_whoever_does_not_speak_as_the_aggregator_is_told_apart(api: FakeApi, answer: str, status: int) -> None:
    api.at("/x", answer, status)
    with pytest.raises(CtlError, match="not as Guardian's aggregator does"):
        await ask(api.url)


async def test_a_closed_port_is_said_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(CtlError) as caught:
            await ask(url)
    assert str(caught.value) == f"{url} cannot be asked: connection refused"


@pytest.mark.parametrize("name", ["guardian.invalid", "a..b"])
async def test_an_unknown_name_is_said_in_one_line(name: str) -> None:
    with pytest.raises(CtlError, match=rf"^http://{name} cannot be asked: [a-z ]+$"):
        await ask(f"http://{name}")


@pytest.mark.parametrize(("speech", "text"), [(b"SSH-2.0-x\r\n", "does not speak HTTP"), (b"", "hangs up")])
async def test_another_protocol_is_said_in_one_line(speech: bytes, text: str) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(speech)
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        with pytest.raises(CtlError, match=text):
            await ask("http://{}:{}".format(*server.sockets[0].getsockname()))


async def test_tls_where_there_is_none_is_said_in_one_line(api: FakeApi) -> None:
    url = api.url.replace("http:", "https:")
    with pytest.raises(CtlError) as caught:
        await ask(url)
    why = "what listens there does not speak TLS; http:// instead of https://, perhaps"
    assert str(caught.value) == f"{url} cannot be asked: {why}"


async def test_tls_that_is_refused_is_said_in_words() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # without a certificate there is nothing to agree on

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0, ssl=context) as server:
        with pytest.raises(CtlError, match=r"asked: (it hangs up without an answer|no TLS .*: [a-z0-9 ]+)$"):
            await ask("https://{}:{}".format(*server.sockets[0].getsockname()))


async def test_silence_ends_at_the_time_limit() -> None:
    late = pytest.raises(CtlError, match=r"does not answer within 0\.1 s")
    with socket.create_server(("127.0.0.1", 0)) as silent, late:
        await ask(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.1)


@pytest.mark.parametrize(
    "url",
    ["", "x", "127.0.0.1:8080", "ftp://x", "http://", "http://x:0", "http://x:99999", "http://x/?y", "http://x y"],
)
def test_what_is_no_url_is_wrong_usage(url: str) -> None:
    with pytest.raises(WrongUsageError, match=r"must be such as http://127\.0\.0\.1:8080"):
        check_url(url)


def test_a_path_before_the_api_stays() -> None:
    assert check_url("https://hub.example/guardian/") == "https://hub.example/guardian"
