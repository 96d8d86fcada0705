"""Pressure as kernels tell it; and of the real one that its triggers work, where this kernel and user have them."""

import asyncio
import os
import select
from pathlib import Path

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host import pressure
from guardian_agent.host.pressure import LocalPressureEvents, files_of, parse, read

TOLD = """some avg10=12.50 avg60=3.20 avg300=1.00 total=1500000
full avg10=2.50 avg60=0.20 avg300=0.00 total=500000
"""


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The folders of a host's own group and of the machine."""
    group, machine = tmp_path / "group", tmp_path / "machine"
    for folder in (group, machine):
        folder.mkdir()
    monkeypatch.setattr(pressure, "GROUPS", (tmp_path / "none", group))
    monkeypatch.setattr(pressure, "MACHINE", machine)
    return group, machine


def test_both_lines_are_read() -> None:
    told = parse(TOLD)
    assert (told.some_avg10, told.some_avg60, told.full_avg10, told.full_avg60) == (12.5, 3.2, 2.5, 0.2)
    assert told.some_total_s == 1.5


def test_an_older_kernel_that_tells_nothing_of_full_tells_none() -> None:
    assert parse(TOLD.splitlines()[0]).full_avg10 == 0


def test_a_hosts_own_group_goes_before_the_whole_machine(places: tuple[Path, Path]) -> None:
    group, machine = places
    (machine / "memory").write_text(TOLD)
    assert read("memory").some_avg10 == 12.5
    (group / "memory.pressure").write_text(TOLD.replace("12.50", "99.00"))
    assert read("memory").some_avg10 == 99


def test_a_kernel_that_does_not_measure_it_or_makes_no_sense_says_so(places: tuple[Path, Path]) -> None:
    with pytest.raises(ProbeError, match="does not measure the pressure of io"):
        read("io")
    for nonsense in ("", "some avg10=x avg60=1 total=1", "full avg10=0 avg60=0 total=0"):
        (places[1] / "io").write_text(nonsense)
        with pytest.raises(ProbeError, match="io"):
            read("io")
    with pytest.raises(ProbeError, match="no pressure of 'disk'"):
        read("disk")


@pytest.mark.skipif(not Path("/proc/pressure/cpu").exists(), reason="a kernel without PSI")
@pytest.mark.parametrize("resource", ["memory", "cpu", "io"])
def test_this_kernel_is_understood(resource: str) -> None:
    told = read(resource)
    assert 0 <= told.full_avg10 <= 100 and 0 <= told.some_avg10 <= 100 and told.some_total_s >= 0


async def test_where_there_are_no_triggers_nothing_is_ever_heard(places: tuple[Path, Path]) -> None:
    (places[1] / "io").write_text("")
    (places[1] / "io").chmod(0o444)
    events = LocalPressureEvents(("cpu",))
    heard = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0.05)
    assert not heard.done()
    await events.aclose()
    await events.aclose()
    with pytest.raises(StopAsyncIteration):
        await heard
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_urgent_data_is_heard_as_the_resource_that_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trigger says POLLPRI, as a socket does for out-of-band data."""
    import socket

    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    accepted, _ = server.accept()
    triggers = {"memory": os.dup(accepted.fileno()), "cpu": None, "io": None}
    monkeypatch.setattr(pressure, "_trigger", triggers.__getitem__)
    events = LocalPressureEvents()
    client.send(b"!", socket.MSG_OOB)
    assert await asyncio.wait_for(anext(events), 5) == "memory"
    await events.aclose()
    for each in (server, client, accepted):
        each.close()


@pytest.mark.skipif(not Path("/proc/pressure/cpu").exists(), reason="a kernel without PSI")
async def test_this_kernel_takes_the_trigger_or_refuses_it_without_a_trace() -> None:
    before = descriptors()
    events = LocalPressureEvents()
    if os.geteuid() == 0 and files_of("cpu"):
        assert sorted(events._triggers.values()) == ["cpu", "io", "memory"]
        poll = select.poll()
        for trigger in events._triggers:
            poll.register(trigger, select.POLLPRI)
        assert all(not found & select.POLLERR for _, found in poll.poll(0))
    await events.aclose()
    assert descriptors() == before
