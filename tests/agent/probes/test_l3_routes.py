import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.probes.asking import UPSTREAM, WELL, look, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import Route
from guardian_agent.probes.l3_routes import L3Routes


@pytest.mark.parametrize(
    ("way", "shown"),
    [
        (Route(interface="", gateway=None, discards="blackhole"), "blackhole"),
        (Route(interface="host0", gateway="198.18.255.254"), "via 198.18.255.254 dev host0"),
        (Route(interface="lo", gateway=None), "dev lo"),  # this host took the other one's address
        (None, "none"),
    ],
)
async def test_another_way_than_known_good_is_wrong(way: Route | None, shown: str) -> None:
    host = FakeHost()
    host.known.good = WELL
    assert await sees(L3Routes, host) == ""
    host.netlink.routes[UPSTREAM] = way
    reading = await look(L3Routes, host)
    assert not reading.ok
    assert reading.evidence == {"to": UPSTREAM, "way": shown, "known_good": "via 198.18.0.1 dev host0"}


async def test_nothing_is_judged_before_something_is_known() -> None:
    with pytest.raises(ProbeError, match="known to be good"):
        await look(L3Routes, FakeHost())
