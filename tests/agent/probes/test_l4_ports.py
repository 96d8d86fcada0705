import pytest
from tests.agent.fake_host import FakeHost

from guardian_agent.errors import ProbeError
from guardian_agent.host import Outgoing
from guardian_agent.model import Endpoint, Reading, Schedule
from guardian_agent.probes.l4_ports import L4Ports

HUB = Endpoint("198.18.0.9", 80)


def host_with(ports: int, sockets: int) -> FakeHost:
    host = FakeHost()
    host.kernel.settings["net.ipv4.ip_local_port_range"] = "40000\t40099"
    host.files.contents["/proc/net/sockstat"] = f"TCP: inuse {sockets} orphan 0 tw 0 alloc 12 mem 1\n"
    host.sockets.most_outgoing = Outgoing(ports=ports, to=HUB)
    return host


async def look(host: FakeHost) -> Reading:
    probe = L4Ports.for_host(Schedule())
    assert probe is not None
    return await probe.look(host)


@pytest.mark.parametrize(("ports", "ok"), [(0, True), (94, True), (95, False), (100, False)])
async def test_ports_are_exhausted_when_nearly_all_lead_to_one_destination(ports: int, ok: bool) -> None:
    reading = await look(host_with(ports, sockets=300))
    assert reading.ok == ok and reading.evidence["towards"] == "tcp:198.18.0.9:80"


async def test_a_host_with_few_sockets_is_not_counted_through() -> None:
    reading = await look(host_with(100, sockets=79))
    assert reading.ok and "most_used" not in reading.evidence


async def test_those_that_only_wait_count_as_sockets_and_so_do_those_of_ipv6() -> None:
    host = host_with(100, sockets=20)
    host.files.contents["/proc/net/sockstat"] = "TCP: inuse 20 orphan 0 tw 30 alloc 12 mem 1\n"
    host.files.contents["/proc/net/sockstat6"] = "TCP6: inuse 30\nUDP6: inuse 5\n"
    assert not (await look(host)).ok


@pytest.mark.parametrize("said", ["", "40000", "a b"])
async def test_a_range_that_makes_no_sense_is_no_verdict(said: str) -> None:
    host = host_with(100, sockets=300)
    host.kernel.settings["net.ipv4.ip_local_port_range"] = said
    with pytest.raises(ProbeError, match="ip_local_port_range"):
        await look(host)


async def test_a_kernel_that_does_not_count_sockets_is_no_verdict() -> None:
    host = host_with(100, sockets=300)
    host.files.contents["/proc/net/sockstat"] = "sockets: used 1\n"
    with pytest.raises(ProbeError, match="sockstat"):
        await look(host)
