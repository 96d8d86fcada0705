from tests.agent.detection.stamps import at

from guardian_agent.detection.holds import Holds
from guardian_agent.detection.purpose import OnPurpose
from guardian_agent.model import Component

SHOP = Component(name="shop", unit="shop.service", depends_on=("cache",))
CACHE = Component(name="cache", unit="cache.service", depends_on=("database",))
DATABASE = Component(name="database", unit="database.service")


def held(*names: str) -> OnPurpose:
    holds = Holds(remember=lambda _: None, forget=lambda _: None)
    for name in names:
        holds.hold(name, f"{name}.service was stopped by hand", at(1))
    return OnPurpose((SHOP, CACHE, DATABASE), holds)


def test_what_is_held_is_left_alone_and_so_is_what_rests_on_it() -> None:
    alone = held("database")
    assert alone.why_untouchable("database") == "database.service was stopped by hand"
    assert alone.why_untouchable("shop") == "it depends on database, and database.service was stopped by hand"
    assert held("shop").why_untouchable("database") == ""


def test_a_unit_is_not_started_where_its_component_is_left_alone() -> None:
    assert held("cache").why_stopped("cache.service") == "cache.service was stopped by hand"
    assert held("cache").why_stopped("shop.service").startswith("it depends on cache")
    assert held("cache").why_stopped("database.service") == held("cache").why_stopped("other.service") == ""
