"""What every probe keeps to."""

import inspect
import re
from typing import Any

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import SHOP, WEB
from tests.agent.probes.asking import BARE, WELL, healthy, made
from tests.agent.probes.page import PAGE, page

from guardian_agent.errors import ProbeError
from guardian_agent.model import Component, Layer, Reading, Schedule
from guardian_agent.probes import PROBES, Probe
from guardian_agent.probes.base import NAMES, PATH, RESOURCES

every = pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.probe_id())


def asked_of(probe: type[Probe]) -> Component:
    return next((component for component in (WEB, SHOP) if probe.for_component(component, Schedule())), WEB)


@every
def test_its_name_begins_with_its_layer_and_its_issue_types_are_words(probe: type[Probe]) -> None:
    prefix = probe.probe_id().partition("_")[0]
    assert prefix == ("host" if probe.layer == Layer.HOST else f"l{int(probe.layer)}")
    assert probe.issue_types and len(set(probe.issue_types)) == len(probe.issue_types)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", issue) for issue in probe.issue_types)


@every
def test_its_file_begins_with_its_question(probe: type[Probe]) -> None:
    question = inspect.getdoc(inspect.getmodule(probe)) or ""
    assert question.endswith("?") and "\n" not in question and inspect.getdoc(probe)


@every
def test_it_asks_nothing_of_a_component_that_declares_nothing(probe: type[Probe]) -> None:
    assert probe.for_component(BARE, Schedule()) is None


@every
def test_it_is_about_the_host_or_about_components_and_says_what_an_operator_may_set(probe: type[Probe]) -> None:
    of_components = any(probe.for_component(component, Schedule()) for component in (WEB, SHOP))
    assert of_components != (probe.for_host(Schedule()) is not None)
    assert set(probe.options) <= set(probe.__struct_fields__)


@every
def test_what_it_rests_on_are_hosts_own_probes_of_lower_layers_never_itself(probe: type[Probe]) -> None:
    for issue_type in probe.issue_types:
        rests_on = made(probe, asked_of(probe)).rests_on(issue_type)
        assert probe.probe_id() not in rests_on and set(rests_on) <= {*PATH, *NAMES, *RESOURCES}


@every
def test_it_is_data_that_can_be_shown_and_compared(probe: type[Probe]) -> None:
    one, other = made(probe, asked_of(probe)), made(probe, asked_of(probe))
    assert one == other and hash(one) == hash(other)
    assert msgspec.json.encode(one)


@every
async def test_what_is_well_is_good_with_evidence_that_can_be_written_down(probe: type[Probe]) -> None:
    for host, component in zip(healthy(), (WEB, SHOP), strict=True):
        if probe.for_component(component, Schedule()) or probe.for_host(Schedule()):
            reading = await made(probe, component).look(host)
            assert reading.ok and reading.issue_type is None and reading.evidence
            assert msgspec.json.decode(msgspec.json.encode(reading), type=Reading) == reading
            assert host.done == []


@every
async def test_a_host_that_cannot_be_read_is_no_verdict(probe: type[Probe], monkeypatch: pytest.MonkeyPatch) -> None:
    async def unreadable(*_: Any) -> Any:
        raise ProbeError("no permission")

    host = FakeHost()
    host.known.good = WELL
    host.netlink.unreadable = host.packets.unreadable = "no permission"
    for reader in (host.units, host.sockets, host.processes):
        for name in ("state", "cgroup_id", "listener", "connect", "http_get", "command", "holders"):
            if hasattr(reader, name):
                monkeypatch.setattr(reader, name, unreadable)
    with pytest.raises(ProbeError):
        await made(probe, asked_of(probe)).look(host)


async def test_a_probe_that_wrote_no_look_says_so() -> None:
    with pytest.raises(TypeError, match="has no look"):
        await Probe().look(FakeHost())
    assert Probe.for_component(WEB, Schedule()) is None and Probe.for_host(Schedule()) is None


def test_the_page_about_probes_is_made_of_the_probes() -> None:
    assert PAGE.read_text() == page(), "python -m tests.agent.probes.page"
