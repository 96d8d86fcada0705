"""What every probe keeps to."""

import inspect
import re
from typing import Any

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB
from tests.agent.probes.asking import BARE, FULL_COMMAND, FULL_UNIT, healthy, made

from guardian_agent.errors import ProbeError
from guardian_agent.model import Component, Layer, Reading, Schedule
from guardian_agent.probes import PROBES, Probe

every = pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.probe_id())


def asks(probe: type[Probe], component: Component) -> bool:
    """Whether the probe asks about this component, or about the host itself."""
    return (probe.for_component(component, Schedule()) or probe.for_host(Schedule())) is not None


def asked_of(probe: type[Probe]) -> Component:
    return next(component for component in (FULL_UNIT, FULL_COMMAND) if asks(probe, component))


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
def test_what_an_operator_may_set_of_it_are_fields_with_a_default(probe: type[Probe]) -> None:
    fields = {field.name: field for field in msgspec.structs.fields(probe)}
    assert all(name in fields and not fields[name].required for name in probe.options)


@every
def test_it_is_data_that_can_be_shown_and_compared(probe: type[Probe]) -> None:
    one, other = made(probe, asked_of(probe)), made(probe, asked_of(probe))
    assert one == other and hash(one) == hash(other)
    assert msgspec.json.encode(one)


@every
async def test_what_is_well_is_good_with_evidence_that_can_be_written_down(probe: type[Probe]) -> None:
    for host, component in zip(healthy(), (FULL_UNIT, FULL_COMMAND), strict=True):
        if asks(probe, component):
            reading = await made(probe, component).look(host)
            assert reading.ok and reading.issue_type is None and reading.evidence
            assert msgspec.json.decode(msgspec.json.encode(reading), type=Reading) == reading
            assert host.done == []


@every
async def test_a_host_that_cannot_be_read_is_no_verdict(probe: type[Probe], monkeypatch: pytest.MonkeyPatch) -> None:
    async def unreadable(*_: Any) -> Any:
        raise ProbeError("no permission")

    host = FakeHost()
    for reader in (host.units, host.sockets, host.processes, host.files, host.kernel, host.netlink, host.packets):
        for name, _method in inspect.getmembers(reader, inspect.iscoroutinefunction):
            if not name.startswith("_"):
                monkeypatch.setattr(reader, name, unreadable)
    with pytest.raises(ProbeError):
        await made(probe, asked_of(probe)).look(host)


async def test_a_probe_that_wrote_no_look_says_so() -> None:
    with pytest.raises(TypeError, match="has no look"):
        await Probe().look(FakeHost())
    assert Probe.for_component(WEB, Schedule()) is None and Probe.for_host(Schedule()) is None
