"""Certificates that do not fit, an aggregator that speaks nonsense: one line says so, and the agent goes on healing."""

import asyncio
from pathlib import Path

from tests.aggregator.ingest import process as aggregator_process
from tests.authority import Authority, write
from tests.end_to_end.agent_process import free_port, heals, running, web, write_config

GOOD, STRANGER = Authority(), Authority("stranger")
OURS = GOOD.issue("guardian://host-1")

# What is in the agent's files instead of the right thing, and what it then says of the aggregator.
BAD_FILES: dict[str, tuple[dict[str, bytes], str]] = {
    "the key of another certificate": (
        {"key": GOOD.issue("guardian://host-1")[1]},
        r"certificate\.pem and \S+key\.pem are not a certificate and its key: key values mismatch",
    ),
    "no certificate at all": ({"certificate": b"nonsense"}, r"are not a certificate and its key: "),
    "an empty ca_file": ({"ca": b""}, r"ca\.pem has no certificate that can be read"),
    "another authority": (
        dict(zip(("certificate", "key"), STRANGER.issue("guardian://host-1"), strict=True)),
        "UNAVAILABLE: ",
    ),
    "an authority that did not sign the aggregator's": ({"ca": STRANGER.pem}, "CERTIFICATE_VERIFY_FAILED"),
    "another host's certificate": (
        dict(zip(("certificate", "key"), GOOD.issue("guardian://host-2"), strict=True)),
        "WRONG_IDENTITY: the certificate is for guardian://host-2, not for host-1",
    ),
}


async def test_files_that_do_not_fit_are_named_and_the_right_ones_connect(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as cases:  # each waits most of the time
        for number, (what, (wrong, line)) in enumerate(BAD_FILES.items()):
            (tmp_path / str(number)).mkdir()
            cases.create_task(files_that_do_not_fit(tmp_path / str(number), wrong, line), name=what)


async def files_that_do_not_fit(tmp_path: Path, wrong: dict[str, bytes], line: str) -> None:
    right = {"ca": GOOD.pem, "certificate": OURS[0], "key": OURS[1]}
    hub = dict(zip(("hub", "hubkey"), GOOD.issue("localhost"), strict=True))
    write(tmp_path, **hub, hubca=GOOD.pem, **{**right, **wrong})
    hub_tls = pem_files(tmp_path, "hub", "hubkey", "hubca")
    async with aggregator_process.running(aggregator_process.write_config(tmp_path, tls=hub_tls)) as aggregator:
        address = f"localhost:{aggregator.grpc.rpartition(':')[2]}"
        tls = pem_files(tmp_path, "certificate", "key", "ca")
        port = free_port()
        config = write_config(tmp_path, f'[aggregator]\naddress = "{address}"\n{tls}\n{web(port)}')
        async with running(config) as agent:
            await agent.says(f"aggregator at {address}: .*{line}")
            await heals(agent, port)
            status = await agent.status()
            assert not status["uplink"]["connected"]
            assert status["uplink"]["unacknowledged"] > 0
            assert len(agent.lines(f"aggregator at {address}")) == 1
            write(tmp_path, **right)
            if "WRONG_IDENTITY" in line:  # such a refusal is asked about again after minutes only, or at a reload
                agent.hang_up()
            await agent.status_when(lambda status: status["uplink"]["connected"], "connected")
            await agent.status_when(lambda status: status["uplink"]["unacknowledged"] == 0, "all is there")
        assert await aggregator.stop() == 0


def pem_files(folder: Path, certificate: str, key: str, ca: str) -> str:
    return "\n".join(
        f'{name} = "{folder / file}.pem"'
        for name, file in (("certificate_file", certificate), ("key_file", key), ("ca_file", ca))
    )


GARBAGE = {
    "noise": b"\x00\xff\x17" * 1000,
    "HTTP/1.1": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "nothing, and closes": b"",
}


async def test_an_aggregator_that_answers_garbage_is_named_once_and_everything_reaches_a_real_one(
    tmp_path: Path,
) -> None:
    async with asyncio.TaskGroup() as cases:
        for number, (what, answer) in enumerate(GARBAGE.items()):
            (tmp_path / str(number)).mkdir()
            cases.create_task(answers_garbage(tmp_path / str(number), answer), name=what)


async def answers_garbage(tmp_path: Path, answer: bytes) -> None:
    port = free_port()
    server, visits = await garbage(answer)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    config = write_config(tmp_path, f'[aggregator]\naddress = "{address}"\ninsecure = true\n{web(port)}')
    async with running(config) as agent:
        await agent.says(f"aggregator at {address}: UNAVAILABLE: ")
        await heals(agent, port)
        await agent.until(lambda: len(visits) >= 3, "three tries")
        assert len(agent.lines("aggregator at")) == 1, agent.said
        server.close()
        await server.wait_closed()
        async with aggregator_process.running(aggregator_process.write_config(tmp_path, grpc=address)) as aggregator:
            status = await agent.status_when(lambda status: status["uplink"]["connected"], "connected")
            await agent.status_when(lambda status: status["uplink"]["unacknowledged"] == 0, "all is there")
            assert status["incidents"] == []
            assert await aggregator.stop() == 0


async def garbage(answer: bytes) -> tuple[asyncio.Server, list[bytes]]:
    """A server that says this to whoever comes, and the first words of whoever came."""
    visits: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(await reader.read(100))
        writer.write(answer)
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0), visits
