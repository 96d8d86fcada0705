from collections.abc import Iterable, Mapping

import msgspec
from tests.agent.healing.scene import SHOP, WEB

from guardian_agent.config import ProbeSettings
from guardian_agent.detection.scheduler import Watch
from guardian_agent.detection.watches import watches_of as all_watches_of
from guardian_agent.model import Component, Endpoint, Health
from guardian_agent.probes.base import is_host_target
from guardian_agent.probes.l1_carrier import L1Carrier
from guardian_agent.probes.l4_connect import L4Connect
from guardian_agent.probes.l7_http import L7Http

BARE = Component(name="bare")


def watches_of(components: Iterable[Component], settings: Mapping[str, ProbeSettings]) -> list[Watch]:
    """Those about components and what they need."""
    return [watch for watch in all_watches_of(components, settings) if not is_host_target(watch.target)]


async def test_every_component_is_asked_all_that_it_declares_and_nothing_else() -> None:
    asked = {component.name: {w.probe_id for w in watches_of([component], {})} for component in (WEB, SHOP, BARE)}
    of_a_port = {"l4_listen", "l4_accept", "l4_connect", "l5_session", "l6_payload", "l7_http", "l7_date"}
    assert asked == {
        "web": {"host_unit", "host_tasks", *of_a_port},
        "shop": {"host_process", *of_a_port},
        "bare": set(),
    }


async def test_a_remote_dependency_is_asked_once_however_many_need_it() -> None:
    one = msgspec.structs.replace(BARE, depends_on=("tcp:10.0.0.5:5432", "web"))
    two = msgspec.structs.replace(BARE, name="two", depends_on=("tcp:10.0.0.5:5432",))
    (watch,) = watches_of([one, two], {})
    assert (watch.target, watch.probe_id) == ("tcp:10.0.0.5:5432", "l4_connect")
    assert isinstance(watch.probe, L4Connect) and watch.probe.endpoint == Endpoint("10.0.0.5", 5432)


async def test_a_probe_that_is_not_enabled_asks_nobody() -> None:
    needs = msgspec.structs.replace(WEB, depends_on=("tcp:10.0.0.5:5432",))
    asked = {watch.key for watch in watches_of([needs], {"l4_connect": ProbeSettings(enabled=False)})}
    assert "l7_http/web" in asked and not any(key.startswith("l4_connect/") for key in asked)


async def test_the_components_own_health_goes_before_the_probes_table_before_the_default() -> None:
    health = Health(http="http://127.0.0.1/", timeout_s=0.25, fall=5)
    component = msgspec.structs.replace(WEB, health=health)
    settings = {"l7_http": ProbeSettings(timeout_s=9.0, rise=7), "l4_connect": ProbeSettings(timeout_s=3.0)}
    watches = {watch.probe_id: watch for watch in watches_of([component], settings)}
    schedule = watches["l7_http"].schedule
    assert (schedule.timeout_s, schedule.fall, schedule.rise, schedule.interval_s) == (0.25, 5, 7, 1.0)
    probe = watches["l7_http"].probe
    assert isinstance(probe, L7Http) and probe.answer_within_s == 0.25
    assert watches["l4_connect"].schedule.fall == 2 and watches["l4_connect"].schedule.timeout_s == 3.0


async def test_the_host_is_asked_whatever_is_configured_unless_a_probe_is_not_enabled() -> None:
    asked = {watch.key for watch in all_watches_of([], {"l2_mtu": ProbeSettings(enabled=False)})}
    assert {"l1_carrier/host:carrier", "l3_default_route/host:default_route"} <= asked
    assert "l2_mtu/host:mtu" not in asked


async def test_a_probes_own_options_reach_it() -> None:
    settings = {"l1_carrier": ProbeSettings(own={"interface": "eth7"})}
    (watch,) = [watch for watch in all_watches_of([], settings) if watch.probe_id == "l1_carrier"]
    assert isinstance(watch.probe, L1Carrier) and watch.probe.interface == "eth7"


async def test_a_host_that_is_not_to_be_asked_is_not() -> None:
    assert [watch for watch in all_watches_of([WEB], {}, host_probes=False) if is_host_target(watch.target)] == []
