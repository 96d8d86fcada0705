from typing import Any

import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB
from tests.agent.playbooks.situations import NOW, saw, situation

from guardian_agent.detection.looking import Look
from guardian_agent.host import Link, Neighbour
from guardian_agent.playbooks.network.diagnose_network import DiagnoseNetwork


async def findings(host: FakeHost, **looks: Look) -> dict[str, Any]:
    found = (await DiagnoseNetwork().plan(situation(WEB, looks=looks), host)).findings
    assert msgspec.json.encode(found) and host.done == []
    return found


async def lowest(host: FakeHost, **looks: Look) -> str | None:
    layer: str | None = (await findings(host, **looks))["lowest_failing_layer"]
    return layer


async def test_the_lowest_failing_layer_is_named_with_its_evidence() -> None:
    host = FakeHost()
    bad = {"l7_http": saw(False, status=500), "l4_listen": saw(False, uid=33), "host_unit": saw(True)}
    found = await findings(host, **bad)
    assert found["lowest_failing_layer"] == "transport"
    assert found["sentence"] == "The lowest failing layer is transport (l4_listen: uid 33)."
    bad["host_unit"] = saw(False, active_state="failed")
    assert await lowest(host, **bad) == "host"
    host.netlink.neighbours["198.18.0.1"] = Neighbour(address="198.18.0.1", mac=None, state="failed")
    assert await lowest(host, **bad) == "data_link"
    host.netlink.links["host0"] = Link(name="host0", admin_up=True, carrier=False)
    assert await lowest(host, **bad) == "physical"
    del host.netlink.links["host0"]
    assert await lowest(host, **bad) == "physical"


async def test_where_nothing_fails_it_says_so_and_how_much_it_could_tell() -> None:
    found = await findings(FakeHost(), l7_http=saw(True, status=200), host_unit=Look(at=NOW, unknown="no bus"))
    assert found["lowest_failing_layer"] is None
    assert found["sentence"] == "Nothing is seen to fail; 4 questions could be answered."
    assert {"layer": "host", "ok": None, "finding": "host_unit: no bus"} in found["layers"]


async def test_what_cannot_be_told_of_the_uplink_fails_nothing() -> None:
    host = FakeHost()
    host.netlink.unreadable = "netlink does not answer"
    assert await lowest(host) is None
    host = FakeHost()
    host.netlink.route = None
    assert await lowest(host, l7_http=saw(False)) == "application"
    host = FakeHost()
    host.netlink.neighbours.clear()
    assert await lowest(host) is None


async def test_layers_are_told_from_below() -> None:
    looks = {name: saw(True) for name in ("l7_http", "l4_connect", "host_unit", "l5_session", "l6_certificate")}
    told = [finding["layer"] for finding in (await findings(FakeHost(), **looks))["layers"]]
    assert told == ["physical", "data_link", "network", "host", "transport", "session", "presentation", "application"]
