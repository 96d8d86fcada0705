import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_network import GATEWAY, GATEWAY_MAC
from tests.agent.playbooks import broken_paths as broken
from tests.agent.playbooks.broken_paths import IMPOSTOR, WRONG_MAC
from tests.agent.playbooks.pages import example_steps
from tests.agent.playbooks.situations import situation

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import KnownGood, Neighbour
from guardian_agent.playbooks.base import Plan
from guardian_agent.playbooks.path_repair.flush_neighbour import FlushNeighbour

FORGET = f"ip neigh del {GATEWAY} dev host0"
PIN = f"ip neigh replace {GATEWAY} lladdr {GATEWAY_MAC} dev host0 nud permanent"


async def plan(host: FakeHost, issue_type: str, playbook: FlushNeighbour | None = None) -> Plan:
    plain = situation(None, issue_type)
    evidence = {"gateway": GATEWAY, "interface": "host0"}
    incident = msgspec.structs.replace(plain.incident, evidence=evidence)
    return await (playbook or FlushNeighbour()).plan(msgspec.structs.replace(plain, incident=incident), host)


async def refusal(host: FakeHost, issue_type: str) -> str:
    with pytest.raises(CannotPlanError) as raised:
        await plan(host, issue_type)
    return str(raised.value)


def typed(made: Plan) -> list[tuple[str, str]]:
    return [(step.do.describe(), step.undo.describe() if step.undo else "") for step in made.steps]


async def test_a_wrong_mac_that_is_pinned_is_forgotten_and_can_be_pinned_again() -> None:
    host = broken.pinned_wrong()
    made, before = await plan(host, "neighbour_failed"), dict(host.netlink.neighbours)
    undo = f"ip neigh replace {GATEWAY} lladdr {WRONG_MAC} dev host0 nud permanent"
    assert typed(made) == [(FORGET, undo)]
    assert example_steps("flush_neighbour") == [FORGET]
    await host.do(made.steps[0].do)
    assert host.netlink.neighbours == {}
    assert made.steps[0].undo is not None
    await host.do(made.steps[0].undo)
    assert host.netlink.neighbours == before


async def test_an_entry_that_failed_is_forgotten_when_the_gateway_answers() -> None:
    host = broken.well()
    host.netlink.neighbours[GATEWAY] = Neighbour(address=GATEWAY, mac=None, state="failed")
    assert typed(await plan(host, "neighbour_failed")) == [(FORGET, FORGET)]
    host.packets.silent.add(GATEWAY)
    assert "nobody answers for it on the link" in await refusal(host, "neighbour_failed")


@pytest.mark.parametrize(("state", "nud"), [("permanent", "permanent"), ("reachable", "stale")])
async def test_the_good_mac_is_pinned_against_an_impostor(state: str, nud: str) -> None:
    host = broken.with_impostor()
    host.netlink.neighbours[GATEWAY] = Neighbour(address=GATEWAY, mac=IMPOSTOR, state=state)
    undo = f"ip neigh replace {GATEWAY} lladdr {IMPOSTOR} dev host0 nud {nud}"
    assert typed(await plan(host, "gateway_changed")) == [(PIN, undo)]
    host.netlink.neighbours.clear()
    assert typed(await plan(host, "gateway_changed")) == [(PIN, FORGET)]


async def test_a_gateway_that_answers_with_another_mac_alone_may_be_a_new_one() -> None:
    host = broken.with_impostor()
    host.packets.macs[GATEWAY] = [IMPOSTOR]
    assert "a new router, perhaps" in await refusal(host, "gateway_changed")


async def test_what_is_right_already_or_was_never_seen_good_is_left_alone() -> None:
    host = broken.with_impostor()
    host.netlink.neighbours[GATEWAY] = Neighbour(address=GATEWAY, mac=GATEWAY_MAC, state="permanent")
    assert "is pinned already" in await refusal(host, "gateway_changed")
    assert "is not wrong" in await refusal(host, "neighbour_failed")
    host.known.good = KnownGood()
    assert "was never seen good" in await refusal(host, "gateway_changed")
    host.known.good, host.packets.point_to_point = broken.well().known.good, True
    assert "nobody has to be asked for" in await refusal(host, "gateway_changed")
    with pytest.raises(CannotPlanError, match="does not name host0"):
        await plan(host, "gateway_changed", FlushNeighbour(interfaces=("wan0",)))
