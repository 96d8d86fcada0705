from typing import Any

import msgspec
import pytest
from tests.agent.fake_network import GATEWAY
from tests.agent.playbooks import broken_paths as broken
from tests.agent.playbooks.path_repair.test_restore_route import plan, refusal, typed
from tests.agent.probes.asking import UPSTREAM

from guardian_agent.host import RouteEntry


@pytest.mark.parametrize(("size", "announced"), [(1200, None), (1420, None), (1333, None), (1333, 1333), (576, None)])
async def test_what_gets_through_is_found_and_a_route_says_so(size: int, announced: int | None) -> None:
    host = broken.narrow(size)
    made = await plan(host, "path_mtu", address=UPSTREAM, packet_bytes=1500, announced_mtu=announced)
    assert typed(made) == [f"ip route add {UPSTREAM}/32 via {GATEWAY} dev host0 proto static mtu {size}"]
    assert made.findings == {"address": UPSTREAM, "sent_bytes": 1500, "gets_through_bytes": size}
    await host.do(made.steps[0].do)
    assert made.steps[0].undo is not None
    host.packets.narrow[UPSTREAM] = 800 if size > 800 else 576
    again = await plan(host, "path_mtu", address=UPSTREAM, packet_bytes=size if size > 576 else 1500)
    assert len(again.steps) == 2, "its own route is replaced"
    await host.do(made.steps[0].undo)
    assert host.netlink.more_routes == []


async def test_a_path_that_takes_nothing_or_leads_astray_gets_no_route() -> None:
    evidence: dict[str, Any] = {"address": UPSTREAM, "packet_bytes": 1500}
    assert "not even packets of 576 bytes" in await refusal(broken.narrow(400), "path_mtu", **evidence)
    assert "and not via 198.18.0.1" in await refusal(broken.halved(), "path_mtu", **evidence)
    assert "no way to nobody" in await refusal(broken.narrow(), "path_mtu")


@pytest.mark.parametrize("what", [{"protocol": 16}, {"whole": False}])
async def test_a_host_route_that_is_not_guardians_to_change_stays(what: dict[str, Any]) -> None:
    host = broken.narrow()
    theirs = RouteEntry(destination=f"{UPSTREAM}/32", gateway=GATEWAY, interface="host0")
    host.netlink.more_routes.append(msgspec.structs.replace(theirs, **what))
    assert "not Guardian's to change" in await refusal(host, "path_mtu", address=UPSTREAM, packet_bytes=1500)
