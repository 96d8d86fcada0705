"""What every probe keeps to."""

import asyncio
import contextlib
import inspect
import re
from typing import Any

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB
from tests.agent.probes.asking import BARE, FULL_COMMAND, FULL_UNIT, WELL, every_way, healthy
from tests.agent.probes.page import PAGE, page

from guardian_agent.errors import ProbeError
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes import PROBES, Probe
from guardian_agent.probes.base import ANSWERED, NAMES, PATH, RESOURCES, TIMEOUT_ONLY, TIMEOUTS

every = pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.probe_id())


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
def test_it_is_about_components_or_about_the_host_itself(probe: type[Probe]) -> None:
    assert every_way(probe)
    fields = {field.name: field for field in msgspec.structs.fields(probe)}
    assert all(name in fields and not fields[name].required for name in probe.options)


@every
def test_it_is_data_that_can_be_shown_and_compared(probe: type[Probe]) -> None:
    for one, other in zip(every_way(probe), every_way(probe), strict=True):
        assert one == other and hash(one) == hash(other)
        assert msgspec.json.encode(one)


@every
def test_it_rests_on_probes_of_the_host_and_never_on_itself(probe: type[Probe]) -> None:
    for one in every_way(probe):
        for issue in probe.issue_types:
            assert probe.probe_id() not in one.rests_on(issue)
            assert set(one.rests_on(issue)) <= {*PATH, *NAMES, *RESOURCES, "l4_ports"}


@every
def test_an_answer_rests_on_no_path_and_only_what_is_late_rests_on_what_loses_packets(probe: type[Probe]) -> None:
    if probe.layer not in (Layer.TRANSPORT, Layer.SESSION, Layer.PRESENTATION, Layer.APPLICATION):
        return
    for one in every_way(probe):
        for issue in set(probe.issue_types) - {"retransmissions"}:
            ground = set(one.rests_on(issue))
            assert not (issue in ANSWERED and ground & set(PATH))
            assert issue in TIMEOUTS or not ground & set(TIMEOUT_ONLY)
            assert one.asks() or not ground & set(PATH) or probe.probe_id() in ("l7_command", "l7_dns")


async def second_look(probe: Probe, host: FakeHost) -> Reading:
    """A probe that tells a rate cannot tell it at its first look."""
    with contextlib.suppress(ProbeError):
        await probe.look(host)
    await asyncio.sleep(1.0)
    return await probe.look(host)


@every
async def test_what_is_well_is_good_with_evidence_that_can_be_written_down(probe: type[Probe]) -> None:
    for host, component in zip(healthy(), (FULL_UNIT, FULL_COMMAND), strict=True):
        for one in (probe.for_component(component, Schedule()), probe.for_host(Schedule())):
            if one is None:
                continue
            reading = await second_look(one, host)
            assert reading.ok and reading.issue_type is None and reading.evidence
            assert msgspec.json.decode(msgspec.json.encode(reading), type=Reading) == reading
            assert host.done == []


@every
async def test_a_host_that_cannot_be_read_is_no_verdict(probe: type[Probe], monkeypatch: pytest.MonkeyPatch) -> None:
    async def unreadable(*_: Any, **__: Any) -> Any:
        raise ProbeError("no permission")

    host = FakeHost()
    host.known.good = WELL
    readers = (host.units, host.sockets, host.clients, host.processes, host.netlink, host.packets, host.files)
    for reader in (*readers, host.kernel):
        for name, method in inspect.getmembers(reader, inspect.iscoroutinefunction):
            if not name.startswith("_") and method:
                monkeypatch.setattr(reader, name, unreadable)
    for one in every_way(probe):
        with pytest.raises(ProbeError):
            await one.look(host)


async def test_a_probe_that_wrote_no_look_says_so() -> None:
    with pytest.raises(TypeError, match="has no look"):
        await Probe().look(FakeHost())
    assert Probe.for_component(WEB, Schedule()) is None and Probe.for_host(Schedule()) is None


def test_the_page_about_probes_is_made_of_the_probes() -> None:
    assert PAGE.read_text() == page(), "python -m tests.agent.probes.page"
