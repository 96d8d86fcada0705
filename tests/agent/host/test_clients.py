"""The conversations themselves are tested beside each: pages, idle, tls, dns, grpc_health."""

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host import Clients
from guardian_agent.host.clients import LocalClients


async def test_it_holds_whatever_is_asked_of_a_client():
    clients: Clients = LocalClients()
    with pytest.raises(ProbeError, match="ftp"):
        await clients.page("ftp://here/", 1.0)
    with pytest.raises(ProbeError, match="ftp"):
        await clients.hold_page("ftp://here/", 1.0, 1.0)
    with pytest.raises(ProbeError, match="name server"):
        await clients.ask_name("here", ".", "NS", 1.0)
