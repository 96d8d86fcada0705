import pytest
from tests.agent.fake_host import FakeHost

from guardian_agent.errors import ProbeError
from guardian_agent.probes.l4_conntrack import COUNT, LIMIT, L4Conntrack


@pytest.mark.parametrize(
    ("count", "limit", "ok"),
    [("10", "100", True), ("94", "100", True), ("95", "100", False), ("100", "100", False), ("5", "0", True)],
)
async def test_it_is_full_at_95_per_cent_of_its_limit(count: str, limit: str, ok: bool) -> None:
    host = FakeHost()
    host.kernel.settings |= {COUNT: count, LIMIT: limit}
    assert (await L4Conntrack().look(host)).ok == ok


async def test_a_host_that_tracks_nothing_is_good() -> None:
    assert (await L4Conntrack().look(FakeHost())).evidence["reason"] == "connections are not tracked here"


async def test_what_is_no_number_is_no_verdict() -> None:
    host = FakeHost()
    host.kernel.settings |= {COUNT: "many", LIMIT: "100"}
    with pytest.raises(ProbeError, match="many"):
        await L4Conntrack().look(host)
