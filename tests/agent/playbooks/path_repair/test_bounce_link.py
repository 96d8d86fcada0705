import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_network import GATEWAY
from tests.agent.fake_routing import routing_of
from tests.agent.playbooks import broken_paths as broken
from tests.agent.playbooks.pages import example_steps
from tests.agent.playbooks.situations import situation

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import Address, KnownGood, RouteEntry
from guardian_agent.playbooks.base import Plan
from guardian_agent.playbooks.path_repair.bounce_link import BounceLink

UP, DOWN = "ip link set host0 up", "ip link set host0 down"
ADD_DEFAULT = f"ip route add default via {GATEWAY} dev host0 proto static"


async def plan(
    host: FakeHost, issue_type: str = "link_down", playbook: BounceLink | None = None, **evidence: object
) -> Plan:
    plain = situation(None, issue_type)
    incident = msgspec.structs.replace(plain.incident, evidence={"interface": "host0", **evidence})
    return await (playbook or BounceLink()).plan(msgspec.structs.replace(plain, incident=incident), host)


def typed(made: Plan) -> list[str]:
    return [step.do.describe() for step in made.steps]


async def test_what_was_set_down_is_set_up_and_gets_back_the_routes_that_nobody_else_may_bring() -> None:
    host = broken.well()
    more = RouteEntry(destination="10.0.0.0/8", gateway="198.18.0.9", interface="host0", metric=7)
    foreign = RouteEntry(destination="10.1.0.0/16", gateway="192.0.2.9", interface="host0")
    elsewhere = RouteEntry(destination="10.2.0.0/16", gateway="198.18.0.9", interface="wan0")
    good = routing_of(host.netlink).lasting({"host0"})
    good = msgspec.structs.replace(good, routes=(*good.routes, more, foreign, elsewhere))
    broken_host = broken.link_down()
    broken_host.known.good = msgspec.structs.replace(broken_host.known.good, routing=good)
    assert typed(await plan(broken_host)) == [UP, ADD_DEFAULT, f"ip route add {more}"], "what has a way to its gateway"


async def test_undoing_it_sets_the_link_down_again() -> None:
    host = broken.link_down()
    before, made = routing_of(host.netlink), await plan(host)
    assert typed(made) == example_steps("bounce_link") == [UP, ADD_DEFAULT]
    for step in made.steps:
        await host.do(step.do)
    assert (
        host.netlink.links["host0"].carrier and routing_of(host.netlink).lasting({"host0"}) == host.known.good.routing
    )
    for step in reversed(made.steps):
        assert step.undo is not None
        await host.do(step.undo)
    assert routing_of(host.netlink) == before and not host.netlink.links["host0"].admin_up


async def test_ipv6_addresses_that_the_kernel_dropped_come_back() -> None:
    host = broken.well()
    host.netlink.own["host0"].append(Address(address="2001:db8::2", prefix=64))
    good = routing_of(host.netlink).lasting({"host0"})
    host = broken.link_down()
    host.known.good = msgspec.structs.replace(host.known.good, routing=good)
    assert typed(await plan(host)) == [UP, "ip address add 2001:db8::2/64 dev host0", ADD_DEFAULT]


@pytest.mark.parametrize(("flaps", "steps"), [(0, None), (1, None), (2, [DOWN, UP]), (9, [DOWN, UP])])
async def test_only_a_carrier_that_came_and_went_is_tried_for_by_a_bounce(flaps: int, steps: list[str] | None) -> None:
    host = broken.well()
    host.netlink.links["host0"] = msgspec.structs.replace(host.netlink.links["host0"], carrier=False)
    if steps is None:
        with pytest.raises(CannotPlanError, match="that is the other end's, or the cable's"):
            await plan(host, carrier_changes=flaps)
    else:
        assert typed(await plan(host, carrier_changes=flaps)) == steps


async def test_an_interface_that_serves_is_never_bounced() -> None:
    host = broken.well()
    with pytest.raises(CannotPlanError, match="has a carrier"):
        await plan(host, carrier_changes=9)
    host.netlink.links["host0"] = msgspec.structs.replace(host.netlink.links["host0"], carrier=False)
    made = await plan(host, carrier_changes=9)
    host.netlink.links["host0"] = msgspec.structs.replace(host.netlink.links["host0"], carrier=True)
    with pytest.raises(Exception, match="has a carrier"):
        await host.do(made.steps[0].do)


async def test_an_mtu_goes_back_to_the_good_one() -> None:
    host = broken.mtu_changed()
    made = await plan(host, "mtu_changed", known_good=1500)
    assert typed(made) == ["ip link set host0 mtu 1500"]
    assert made.steps[0].undo is not None and made.steps[0].undo.describe() == "ip link set host0 mtu 1300"
    with pytest.raises(CannotPlanError, match="has its good MTU"):
        await plan(host, "mtu_changed", known_good=1300)
    host.known.good = KnownGood()
    with pytest.raises(CannotPlanError, match="no MTU of host0 is known"):
        await plan(host, "mtu_changed")


async def test_an_interface_that_is_gone_or_not_named_is_left_alone() -> None:
    host = broken.link_down()
    with pytest.raises(CannotPlanError, match="does not name host0"):
        await plan(host, playbook=BounceLink(interfaces=("wan0",)))
    host.netlink.links.clear()
    with pytest.raises(CannotPlanError, match="there is no interface host0"):
        await plan(host)
    host.known.good = KnownGood()
    with pytest.raises(CannotPlanError, match="names no interface, and no uplink of this host was ever seen good"):
        await BounceLink().plan(situation(None, "link_down"), host)
