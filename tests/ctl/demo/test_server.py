import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http.client import HTTPConnection

from tests.bed.waiting import until

from guardian_ctl.demo import server
from guardian_ctl.demo.stage import free_port


@asynccontextmanager
async def running(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", server.__file__, "127.0.0.1", str(port), stdout=pipe
    )
    assert process.stdout is not None
    assert b"listens" in await process.stdout.readline()
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def get(port: int, method: str = "GET") -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, "/")
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def refused(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


async def test_it_says_which_process_answers() -> None:
    port = free_port()
    async with running(port) as process:
        status, body = await asyncio.to_thread(get, port)
        assert (status, f"process {process.pid} " in body.decode()) == (200, True)
        assert (await asyncio.to_thread(get, port, "POST"))[0] == 405


async def test_after_sigusr1_it_lives_and_listens_no_more() -> None:
    port = free_port()
    async with running(port) as process:
        process.send_signal(signal.SIGUSR1)
        await until(lambda: asyncio.to_thread(refused, port), "nobody listens", within_s=10)
        assert process.returncode is None
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 5) == -signal.SIGTERM


async def test_a_client_that_talks_nonsense_or_leaves_ends_nothing() -> None:
    port = free_port()
    async with running(port):
        for words in (b"", b"\0" * 100_000, b"GET / HTTP/1.1\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                client.sendall(words)
        assert (await asyncio.to_thread(get, port))[0] == 200
