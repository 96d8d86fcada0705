from typing import ClassVar

from guardian_agent.diagnosis import Answer, diagnose
from guardian_agent.model import Layer
from guardian_agent.probes import Probe
from guardian_agent.probes.base import PATH


class Crossing(Probe, frozen=True, kw_only=True):
    """Looks across the network."""

    layer: ClassVar = Layer.APPLICATION
    issue_types: ClassVar = ("http_error",)

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return PATH


class Local(Probe, frozen=True, kw_only=True):
    """Looks at this host only."""

    layer: ClassVar = Layer.TRANSPORT
    issue_types: ClassVar = ("port_not_listening",)


def answer(probe: str, target: str, layer: Layer, issue_type: str = "", **more: bool) -> Answer:
    return Answer(
        probe=probe,
        target=target,
        layer=layer.name.lower(),
        ok=not issue_type,
        issue_type=issue_type,
        finding="seen",
        **more,
    )


DOWN = answer("l1_carrier", "host:carrier", Layer.PHYSICAL, "link_down")
LOST = answer("l3_gateway", "host:gateway", Layer.NETWORK, "gateway_unreachable")
SHUT = answer("l4_listen", "web", Layer.TRANSPORT, "port_not_listening")
ERROR = answer("l7_http", "web", Layer.APPLICATION, "http_error")
FULL = answer("host_disk", "host:disk", Layer.HOST, "disk_full")


def test_a_healthy_host_is_said_to_be_one() -> None:
    found = diagnose([(Local(), answer("l4_listen", "web", Layer.TRANSPORT))])
    assert found.at_fault is None and found.sentence == "Nothing is at fault: 1 question answered well."


def test_the_lowest_layer_is_at_fault_and_what_crosses_it_follows() -> None:
    found = diagnose([(Crossing(), ERROR), (Crossing(), LOST), (Local(), DOWN), (Local(), SHUT)])
    assert found.at_fault == DOWN and found.layer == "physical"
    assert set(found.consequences) == {ERROR, LOST} and found.others == (SHUT,)
    assert found.sentence.startswith("Layer 1 (physical) is at fault: link_down on host:carrier, seen by l1_carrier")
    assert "2 other findings follow from it; 1 more is bad besides" in found.sentence


def test_what_the_host_is_short_of_comes_before_its_components() -> None:
    found = diagnose([(Crossing(), ERROR), (Local(), FULL)])
    assert found.at_fault == FULL and found.sentence.startswith("The host itself is at fault: disk_full")


def test_within_a_component_the_nearest_cause_is_at_fault() -> None:
    found = diagnose([(Crossing(), ERROR), (Local(), SHUT)])
    assert found.at_fault == SHUT and found.consequences == (ERROR,)


def test_what_was_never_good_on_this_host_is_not_at_fault() -> None:
    never = answer("l3_gateway", "host:gateway", Layer.NETWORK, "gateway_unreachable", counts=False)
    found = diagnose([(Crossing(), never)])
    assert found.at_fault is None and found.never_good == (never,)
    assert found.sentence == "Nothing is at fault: 0 questions answered well; 1 never was good on this host."


def test_no_dead_process_makes_a_certificate_old() -> None:
    old = answer("l6_certificate", "web", Layer.PRESENTATION, "certificate_expiring")
    found = diagnose([(Local(), SHUT), (Crossing(), old)])
    assert found.at_fault == SHUT and found.consequences == () and found.others == (old,)


def test_a_closed_port_lies_lower_than_a_dead_resolver() -> None:
    dns = answer("l7_dns", "host:dns", Layer.APPLICATION, "dns_failure")
    assert diagnose([(Crossing(), dns), (Local(), SHUT)]).at_fault == SHUT
