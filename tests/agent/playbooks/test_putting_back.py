import msgspec
import pytest
from tests.agent.fake_routing import RULES

from guardian_agent.host import AddressEntry, Route, RouteEntry, Routing
from guardian_agent.playbooks.putting_back import PuttingBack

OWN = AddressEntry(interface="up0", address="10.9.0.2", prefix=24)
OWN6 = AddressEntry(interface="up0", address="2001:db8:9::2", prefix=64)
DEFAULT = RouteEntry(destination="0.0.0.0/0", gateway="10.9.0.1", interface="up0")
DEFAULT6 = RouteEntry(destination="::/0", gateway="2001:db8:9::1", interface="up0", metric=1024)
WAY, WAY6 = (Route(interface="up0", gateway=gateway) for gateway in ("10.9.0.1", "2001:db8:9::1"))
FAR, FAR6 = "203.0.113.9", "2001:db8:5::1"


def connected(*routes: RouteEntry, addresses: tuple[AddressEntry, ...] = (OWN, OWN6)) -> Routing:
    """With the routes that the kernel makes for the addresses."""
    plain = PuttingBack(Routing(routes=routes, rules=tuple(RULES), addresses=addresses), Routing())
    plain.connect("up0")
    return plain.now


def typed(plan: PuttingBack) -> list[str]:
    return [step.do.describe() for step in plan.steps]


def undone(plan: PuttingBack) -> list[str]:
    return [step.undo.describe() for step in reversed(plan.steps) if step.undo]


@pytest.mark.parametrize(("far", "way", "lost"), [(FAR, WAY, DEFAULT), (FAR6, WAY6, DEFAULT6)])
def test_a_lost_default_route_of_either_family_is_put_back_alone(far: str, way: Route, lost: RouteEntry) -> None:
    good = connected(DEFAULT, DEFAULT6)
    rest = tuple(route for route in good.routes if route != lost)
    for lead in (lambda plan: plan.lead(far, way), lambda plan: plan.lead_by_default(way)):
        plan = PuttingBack(msgspec.structs.replace(good, routes=rest), good)
        assert lead(plan)
        assert [step.do.entry for step in plan.steps if hasattr(step.do, "entry")] == [lost]
        assert len(undone(plan)) == 1


def test_where_all_goes_as_it_went_nothing_is_planned() -> None:
    good = connected(DEFAULT, DEFAULT6)
    plan = PuttingBack(good, good)
    assert plan.lead(FAR, WAY) and plan.lead_by_default(WAY) and plan.lead_by_default(WAY6)
    plan.add_missing_routes("up0")
    assert plan.steps == []


def test_a_route_that_another_program_put_back_by_another_name_is_there() -> None:
    good = connected(DEFAULT)
    now = connected(msgspec.structs.replace(DEFAULT, protocol=16, source="10.9.0.2"))
    plan = PuttingBack(now, good)
    plan.add_missing_routes("up0")
    assert plan.steps == []


def test_routes_that_rest_on_a_foreign_address_go_first_so_that_they_can_come_back() -> None:
    foreign = AddressEntry(interface="up0", address=FAR, prefix=32)
    resting = RouteEntry(destination="198.51.100.0/24", gateway="10.9.0.1", interface="up0", source=FAR)
    good = connected(DEFAULT)
    plan = PuttingBack(connected(DEFAULT, resting, addresses=(OWN, foreign)), good)
    assert plan.lead(FAR, WAY)
    assert typed(plan) == [f"ip route del {resting}", f"ip address del {foreign}"]
    assert undone(plan) == [f"ip address add {foreign}", f"ip route add {resting}"]


def test_a_foreign_network_that_draws_somebody_in_goes_with_its_address() -> None:
    foreign = AddressEntry(interface="up0", address="203.0.113.77", prefix=24)
    plan = PuttingBack(connected(DEFAULT, addresses=(OWN, foreign)), connected(DEFAULT))
    assert plan.lead(FAR, WAY)
    assert typed(plan) == [f"ip address del {foreign}"]
    leased = msgspec.structs.replace(foreign, leased=True)
    assert not PuttingBack(connected(DEFAULT, addresses=(OWN, leased)), connected(DEFAULT)).lead(FAR, WAY)


def test_nothing_is_added_whose_gateway_cannot_be_reached_or_whose_source_is_gone() -> None:
    good = connected(DEFAULT, msgspec.structs.replace(DEFAULT, destination="198.51.100.0/24", source="10.9.0.2"))
    bare = Routing(rules=tuple(RULES))
    plan = PuttingBack(bare, good)
    plan.add_missing_routes("up0")
    assert not any(" via " in one or " src " in one for one in typed(plan)), typed(plan)
    plan = PuttingBack(bare, good)
    plan.add_address(OWN)
    plan.add_missing_routes("up0")
    assert [one for one in typed(plan) if " via " in one] == [
        "ip route add default via 10.9.0.1 dev up0 proto static",
        "ip route add 198.51.100.0/24 via 10.9.0.1 dev up0 proto static src 10.9.0.2",
    ]


def test_what_a_router_advertises_is_left_to_it() -> None:
    advertised = msgspec.structs.replace(DEFAULT6, protocol=9)
    good = connected(advertised)
    plan = PuttingBack(connected(), good)
    plan.add_missing_routes("up0")
    assert not plan.lead_by_default(WAY6) and not plan.lead(FAR6, WAY6) and plan.steps == []
