"""The whole aggregator as a process: it serves, tells systemd, and ends when told to."""

import asyncio
import os
import signal
import socket
import sys

import aiohttp
import pytest
from tests.aggregator.ingest import process
from tests.aggregator.ingest.outbox import Outbox, connected, execution, incident
from tests.authority import Authority, write

from guardian_aggregator import app
from guardian_aggregator.access import Role, TokenFile


async def test_what_an_agent_streams_is_served_at_once(tmp_path):
    outbox = Outbox()
    outbox.add(incident("i-1"), execution("x-1", incident_id="i-1", outcome=1))
    async with process.running(process.write_config(tmp_path)) as aggregator, aiohttp.ClientSession() as http:
        async with connected(aggregator.grpc) as agent:
            await agent.greet(outbox)
            await agent.send(outbox.batch(1, 2))
            async with http.get(f"http://{aggregator.http}/api/guardian/incidents/i-1") as answer:
                assert answer.status == 200
                assert (await answer.json())["issue_type"] == "process_crashed"
        async with http.get(f"http://{aggregator.http}/healthz") as answer:
            assert answer.status == 200


async def test_https_answers_whoever_shows_a_token_and_trusts_the_authority(tmp_path):
    authority = Authority()
    certificate, key = authority.issue("127.0.0.1")
    files = write(tmp_path, certificate_file=certificate, key_file=key, ca_file=authority.pem)
    https = f'tokens = true\ncertificate_file = "{files["certificate_file"]}"\nkey_file = "{files["key_file"]}"'
    async with process.running(process.write_config(tmp_path, https=https)) as aggregator:
        shown = TokenFile(tmp_path / "state").create("a", Role.VIEWER, 0)
        told = {"GUARDIAN_URL": f"https://{aggregator.http}", "GUARDIAN_CA_FILE": str(files["ca_file"])}
        for token, code in (("", 1), (shown, 0)):
            asked = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", "from guardian_ctl.cli import main; main()", "hosts", "--json"),
                env=os.environ | told | {"GUARDIAN_TOKEN": token},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await asked.communicate()
            assert asked.returncode == code, err
            assert b'"hosts"' in out if token else b"needs a token" in err
        async with aiohttp.ClientSession() as http:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await http.get(f"https://{aggregator.http}/healthz")


@pytest.mark.parametrize("connected_agents", [0, 3])
async def test_it_ends_cleanly_and_soon_when_told_to(tmp_path, connected_agents):
    async with process.running(process.write_config(tmp_path)) as aggregator:
        async with connected(aggregator.grpc) as gone:  # without a goodbye
            await gone.greet(Outbox("gone"))
        ends = [connected(aggregator.grpc) for _ in range(connected_agents)]
        for number, end in enumerate(ends):
            await (await end.__aenter__()).greet(Outbox(f"host-{number}"))
        started = asyncio.get_running_loop().time()
        assert await aggregator.stop() == 0
        assert asyncio.get_running_loop().time() - started < 3
        said = (await aggregator.process.stderr.read()).decode().splitlines()
        assert [line.split(" ", 2)[2] for line in said] == ["INFO stopping"]
        for end in ends:
            await end.__aexit__(None, None, None)


async def test_systemd_is_told(tmp_path, monkeypatch):
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        systemd.settimeout(5)
        async with process.running(process.write_config(tmp_path)) as aggregator:
            heard = [await asyncio.to_thread(systemd.recv, 100) for _ in range(3)]
            assert heard == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
            assert await aggregator.stop() == 0
        systemd.setblocking(False)
        while (word := systemd.recv(100)) == b"WATCHDOG=1":
            pass
        assert word == b"STOPPING=1"


async def test_a_hup_does_not_end_it(tmp_path):
    async with process.running(process.write_config(tmp_path)) as aggregator:
        aggregator.process.send_signal(signal.SIGHUP)
        line = await asyncio.wait_for(aggregator.process.stderr.readline(), 5)
        assert b"SIGHUP changes nothing" in line
        async with connected(aggregator.grpc) as agent:
            assert await agent.greet(Outbox()) == 0
        assert await aggregator.stop() == 0


class Pulses:
    """A store whose writer was seen like this, look by look; the last one stays."""

    def __init__(self, *pulses: int | None) -> None:
        self._pulses = list(pulses)

    @property
    def pulse(self) -> int | None:
        return self._pulses.pop(0) if len(self._pulses) > 1 else self._pulses[0]


@pytest.mark.parametrize(
    ("pulses", "beats"),
    [
        ((None, None, None, 7, 7), 4),  # idle, idle, idle, at work, stuck
        ((1, 2, 3, 3), 3),  # a queue that never empties
        ((5, 5), 1),
    ],
)
async def test_the_watchdog_beats_while_the_writer_gets_on(monkeypatch, pulses, beats):
    told: list[str] = []
    monkeypatch.setattr(app, "notify", told.append)
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(app._watchdog(Pulses(*pulses)), 0.3)
    assert told == ["WATCHDOG=1"] * beats
