from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_network import GATEWAY
from tests.agent.fake_routing import routing_of
from tests.agent.playbooks import broken_paths as broken
from tests.agent.playbooks.broken_paths import BLACKHOLE, HALVES, HUBS, OTHER, good_routing
from tests.agent.playbooks.pages import example_steps
from tests.agent.playbooks.situations import situation
from tests.agent.probes.asking import UPSTREAM

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import Address, KnownGood, Route, RouteEntry, RuleEntry
from guardian_agent.playbooks.base import Plan
from guardian_agent.playbooks.path_repair.restore_route import RestoreRoute

ADD_ADDRESS = "ip address add 198.18.0.2/16 dev host0"
ADD_DEFAULT = f"ip route add default via {GATEWAY} dev host0 proto static"
CASES: list[tuple[Callable[[], FakeHost], list[str]]] = [
    (broken.default_route_deleted, [ADD_DEFAULT]),
    (broken.wrong_next_hop, [f"ip route del default via {OTHER} dev host0 proto boot", ADD_DEFAULT]),
    (broken.address_flushed, [ADD_ADDRESS, ADD_DEFAULT]),
    (lambda: broken.with_prefix(32), [ADD_ADDRESS, "ip address del 198.18.0.2/32 dev host0", ADD_DEFAULT]),
    (lambda: broken.with_prefix(8), [ADD_ADDRESS, "ip address del 198.18.0.2/8 dev host0"]),
    (broken.blackholed, [f"ip route del blackhole {HUBS} proto boot"]),
    (broken.halved, [f"ip route del {half}" for half in reversed(HALVES)]),
    (broken.prohibited, [f"ip rule del priority 100 from all to {HUBS} prohibit"]),
    (broken.martian, [f"ip address del {UPSTREAM}/32 dev lo"]),
]


def asked(issue_type: str = "route_wrong", **evidence: object) -> Any:
    plain = situation(None, issue_type)
    incident = msgspec.structs.replace(plain.incident, target="host:routes", evidence=dict(evidence))
    return msgspec.structs.replace(plain, incident=incident)


async def plan(host: FakeHost, issue_type: str = "route_wrong", **evidence: object) -> Plan:
    return await RestoreRoute().plan(asked(issue_type, **evidence), host)


def typed(made: Plan) -> list[str]:
    return [step.do.describe() for step in made.steps]


async def refusal(host: FakeHost, issue_type: str = "route_wrong", **evidence: object) -> str:
    with pytest.raises(CannotPlanError) as raised:
        await plan(host, issue_type, **evidence)
    assert host.done == []
    return str(raised.value)


@pytest.mark.parametrize(("make", "steps"), CASES)
async def test_all_is_put_back_as_it_was_known_good_and_nothing_more(
    make: Callable[[], FakeHost], steps: list[str]
) -> None:
    host = make()
    before, made = routing_of(host.netlink), await plan(host)
    assert typed(made) == steps
    for step in made.steps:
        await host.do(step.do)
    assert routing_of(host.netlink).lasting({"host0"}) == good_routing(host)
    for step in reversed(made.steps):
        assert step.undo is not None
        await host.do(step.undo)
    assert routing_of(host.netlink) == before


async def test_what_the_page_shows_is_what_a_dry_run_shows() -> None:
    assert typed(await plan(broken.wrong_next_hop())) == example_steps("restore_route")


async def test_without_anything_known_good_nothing_is_put_back() -> None:
    host = broken.default_route_deleted()
    host.known.good = KnownGood()
    assert "never seen good" in await refusal(host)
    assert "nothing that was good is missing" in await refusal(broken.well())


async def test_another_default_route_that_works_is_left_alone_and_so_is_one_of_which_nobody_can_tell() -> None:
    host = broken.wrong_next_hop()
    host.packets.silent.clear()
    assert "it works: that is somebody's decision" in await refusal(host)
    host = broken.wrong_next_hop()
    host.known.good = msgspec.structs.replace(host.known.good, upstream=())
    assert "nobody is known who would answer by it" in await refusal(host)
    host = broken.wrong_next_hop()
    host.packets.silent.add(GATEWAY)
    assert "the good gateway 198.18.0.1 does not answer" in await refusal(host)


@pytest.mark.parametrize("origin", ["dhcp", "ra"])
async def test_a_default_route_of_the_networks_own_is_left_alone(origin: str) -> None:
    host = broken.wrong_next_hop()
    host.netlink.links["wan0"] = msgspec.structs.replace(host.netlink.links["host0"], name="wan0")
    host.netlink.route = Route(interface="wan0", gateway=OTHER, origin=origin)
    assert "cannot be put back" in await refusal(host)


async def test_a_way_that_is_foreign_and_works_is_left_alone() -> None:
    host = broken.halved()
    host.packets.silent.clear()
    assert "answers: that is somebody's decision" in await refusal(host)
    host.known.good = msgspec.structs.replace(host.known.good, upstream=())
    assert "whether it answers there cannot be told" in await refusal(host)


async def test_a_foreign_route_that_covers_nobody_who_matters_stays() -> None:
    host = broken.blackholed()
    elsewhere = msgspec.structs.replace(BLACKHOLE, destination="203.0.113.0/24")
    host.netlink.more_routes.append(elsewhere)
    assert typed(await plan(host)) == [f"ip route del blackhole {HUBS} proto boot"]


@pytest.mark.parametrize("what", [{"protocol": 16}, {"whole": False}])
async def test_a_route_that_is_not_guardians_to_change_stays(what: dict[str, Any]) -> None:
    host = broken.well()
    host.netlink.more_routes.append(msgspec.structs.replace(BLACKHOLE, **what))
    assert "not Guardian's to change" in await refusal(host)


async def test_a_way_that_the_model_does_not_know_of_is_left_alone() -> None:
    host = broken.blackholed()
    host.netlink.routes[UPSTREAM] = Route(interface="host0", gateway="198.18.0.99")
    assert "cannot be told by the routes and rules" in await refusal(host)


async def test_a_good_rule_and_its_tables_route_are_put_back_where_somebody_needs_them() -> None:
    host = broken.well()
    rule = RuleEntry(ipv6=False, priority=200, table=7, to=HUBS, protocol=3)
    route = RouteEntry(destination="0.0.0.0/0", gateway=OTHER, interface="host0", table=7)
    unneeded = RuleEntry(ipv6=False, priority=300, table=9, to="203.0.113.0/24")
    host.netlink.rules += [rule, unneeded]
    host.netlink.more_routes.append(route)
    good = msgspec.structs.replace(
        host.known.good,
        routing=routing_of(host.netlink).lasting({"host0"}),
        routes={UPSTREAM: Route(interface="host0", gateway=OTHER)},
    )
    host.known.good = good
    host.netlink.rules = host.netlink.rules[:-2]
    host.netlink.more_routes.clear()
    host.packets.silent.add(UPSTREAM)
    host.netlink.routes[UPSTREAM] = Route(interface="host0", gateway=GATEWAY)
    assert typed(await plan(host)) == [
        f"ip rule add priority 200 from all to {HUBS} lookup 7",
        f"ip route add default via {OTHER} dev host0 table 7 proto static",
    ]


async def test_other_addresses_by_which_all_works_are_somebodys_decision() -> None:
    host = broken.well()
    host.netlink.own["host0"][:] = [Address(address="198.18.0.2", prefix=15)]
    assert "the addresses are others now, and all works" in await refusal(host, "address_missing")


async def test_an_address_that_another_host_has_taken_is_not_put_back() -> None:
    host = broken.address_flushed()
    host.packets.macs["198.18.0.2"] = ["02:00:00:00:00:77"]
    assert "198.18.0.2 is another host's now" in await refusal(host, "address_missing")


async def test_a_leased_address_is_the_networks_to_give() -> None:
    host = broken.well()
    host.netlink.own["host0"][:] = [Address(address="198.18.0.2", prefix=16, leased=True)]
    host.known.good = msgspec.structs.replace(
        host.known.good, routing=routing_of(host.netlink).lasting({"host0"}), routes={}
    )
    host.netlink.own["host0"].clear()
    assert "nothing that was good is missing" in await refusal(host, "address_missing")


@pytest.mark.parametrize("down", [{"admin_up": False}, {"carrier": False}])
async def test_on_a_link_that_is_down_nothing_is_put_back(down: dict[str, bool]) -> None:
    host = broken.default_route_deleted()
    host.netlink.links["host0"] = msgspec.structs.replace(host.netlink.links["host0"], **down)
    assert "nothing can be put back on it" in await refusal(host)


async def test_only_interfaces_that_the_operator_names_are_changed() -> None:
    host = broken.martian()
    only = RestoreRoute(interfaces=("host0",))
    with pytest.raises(CannotPlanError, match="does not name lo"):
        await only.plan(asked(), host)


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
