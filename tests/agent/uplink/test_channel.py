"""Who may talk to whom: mutual TLS with certificates made here."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from msgspec.structs import replace
from tests.agent.uplink.agents import QUICK, Agent, until
from tests.agent.uplink.aggregators import Aggregator
from tests.authority import Authority, write

from guardian_agent.config import AggregatorAddress
from guardian_agent.state import State
from guardian_agent.uplink.channel import open_channel
from guardian_agent.uplink.endings import ConnectionEndedError


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def secured(authority: Authority) -> AsyncIterator[Aggregator]:
    certificate, key = authority.issue("127.0.0.1")
    credentials = grpc.ssl_server_credentials([(key, certificate)], authority.pem, require_client_auth=True)
    aggregator = Aggregator()
    await aggregator.start(credentials)
    yield aggregator
    await aggregator.stop()


def address_of(aggregator: Aggregator, folder: Path, issued: tuple[bytes, bytes], ca: bytes) -> AggregatorAddress:
    """For an agent that was `issued` a certificate with its key, and trusts `ca`."""
    files = write(folder, certificate_file=issued[0], key_file=issued[1], ca_file=ca)
    return AggregatorAddress(
        address=aggregator.address,
        certificate_file=str(files["certificate_file"]),
        key_file=str(files["key_file"]),
        ca_file=str(files["ca_file"]),
    )


async def test_both_sides_prove_who_they_are(
    state: State, tmp_path: Path, authority: Authority, secured: Aggregator
) -> None:
    agent = Agent(state, address_of(secured, tmp_path, authority.issue("guardian://web-1"), authority.pem))
    await agent.submit(1)
    async with agent.running():
        await agent.drained()


async def test_a_strangers_certificate_is_not_taken(
    state: State, tmp_path: Path, authority: Authority, secured: Aggregator
) -> None:
    agent = Agent(state, address_of(secured, tmp_path, Authority("stranger").issue("web-1"), authority.pem))
    await agent.submit(1)
    async with agent.running():
        await until(lambda: agent.uplink.last_error)
        await asyncio.sleep(0.2)
    assert secured.hellos == []
    assert agent.waiting == 1


async def test_a_strange_aggregator_hears_nothing(
    state: State, tmp_path: Path, authority: Authority, secured: Aggregator
) -> None:
    agent = Agent(state, address_of(secured, tmp_path, authority.issue("web-1"), Authority("stranger").pem))
    async with agent.running():
        await until(lambda: agent.uplink.last_error)
        await asyncio.sleep(0.2)
    assert secured.hellos == []


async def test_renewed_files_are_used_without_a_restart(
    state: State, tmp_path: Path, authority: Authority, secured: Aggregator
) -> None:
    address = address_of(secured, tmp_path, authority.issue("web-1"), authority.pem)
    certificate, later = tmp_path / "certificate_file.pem", tmp_path / "later.pem"
    certificate.rename(later)
    agent = Agent(state, address)
    await agent.submit(1)
    async with agent.running():
        await until(lambda: "certificate_file" in agent.uplink.last_error)
        later.rename(certificate)
        await agent.drained()


async def test_files_that_are_no_certificates_are_retried(state: State, tmp_path: Path, secured: Aggregator) -> None:
    nonsense = b"no certificate"
    agent = Agent(state, address_of(secured, tmp_path, (nonsense, nonsense), nonsense))
    async with agent.running():
        await until(lambda: agent.uplink.last_error)
        await asyncio.sleep(0.2)
    assert secured.hellos == []


@pytest.mark.parametrize("key", ["ca_file", "key_file", "certificate_file"])
async def test_a_file_that_is_missing_is_named(tmp_path: Path, authority: Authority, key: str) -> None:
    whole = address_of(Aggregator(), tmp_path, authority.issue("web-1"), authority.pem)
    gone = str(tmp_path / "gone")
    with pytest.raises(ConnectionEndedError, match=f"aggregator.{key}: {gone}: No such file"):
        open_channel(replace(whole, **{key: gone}), QUICK)
    with pytest.raises(ConnectionEndedError, match=f"aggregator.{key} is not configured"):
        open_channel(replace(whole, **{key: None}), QUICK)
