import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.playbooks.test_playbooks import NoJournal

from guardian_agent.host.operations import AddAddress, DeleteAddress, StartUnit, StopUnit, to_json
from guardian_agent.host.protocols.routing import AddressEntry
from guardian_agent.model import StepState
from guardian_agent.playbooks.base import Step
from guardian_agent.playbooks.steps import FREE, carry_out, undo_steps

START = StartUnit("web.service")


def host_with(*behaviours: str, times: float = 1) -> FakeHost:
    host = FakeHost()
    host.unit("web.service", up=False)
    if behaviours:
        host.script(StartUnit, *behaviours, times=times)  # type: ignore[arg-type]
    return host


async def test_what_works_has_nothing_to_say() -> None:
    host = host_with()
    assert await carry_out(host, to_json(START), START.describe(), 60.0) is None
    assert host.units.by_name["web.service"].up


@pytest.mark.parametrize(
    ("behaviour", "says", "nothing_done", "unreachable"),
    [
        ("fails", "systemctl start web.service: refused", False, False),
        ("refused", "systemctl start web.service: refused", True, False),
        ("unreachable", "systemctl start web.service: refused", False, True),
        ("hangs", "systemctl start web.service: not done within 60 s", False, False),
        ("raises", "systemctl start web.service: LookupError", False, False),
    ],
)
async def test_each_way_of_failing_is_told(behaviour: str, says: str, nothing_done: bool, unreachable: bool) -> None:
    failure = await carry_out(host_with(behaviour), to_json(START), START.describe(), 60.0)
    assert failure is not None and failure.text.startswith(says)
    assert (failure.nothing_done, failure.unreachable) == (nothing_done, unreachable)


async def test_taking_back_waits_for_whoever_does_it() -> None:
    host = host_with("unreachable", times=20)
    step = Step(StopUnit("web.service"), undo=START).as_record()
    step.state = StepState.APPLIED
    assert await undo_steps([step], host, NoJournal(), 60.0, FREE) == [] and step.state == StepState.UNDONE
    assert len(host.done) == 21


async def test_what_may_cut_the_host_off_is_armed_with_what_takes_it_back_and_nothing_else_is() -> None:
    host = host_with()
    entry = AddressEntry(interface="host0", address="198.18.0.9", prefix=16)
    undo = DeleteAddress(entry)
    await carry_out(host, to_json(AddAddress(entry)), "", 60.0, to_json(undo))
    assert host.armed == [undo]
    await carry_out(host, to_json(START), "", 60.0, to_json(StopUnit("web.service")))
    assert host.armed == [undo]
    await host.keep()
    assert host.armed == []
