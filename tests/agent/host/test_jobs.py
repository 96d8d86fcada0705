"""What systemd's messages add up to, in whatever order they come."""

import asyncio
from collections import defaultdict

import pytest
from dbus_fast import Message, MessageType, Variant
from hypothesis import given
from hypothesis import strategies as st

from guardian_agent.host import UnitEvent, jobs
from guardian_agent.host.bus import BusError
from guardian_agent.host.jobs import Jobs, UnitEvents


def path_of(job_id: int) -> str:
    return f"/org/freedesktop/systemd1/job/{job_id}"


def reply(serial: int, signature: str, *body: object) -> Message:
    return Message(message_type=MessageType.METHOD_RETURN, reply_serial=serial, signature=signature, body=list(body))


def error(serial: int) -> Message:
    name = "org.freedesktop.DBus.Error.UnknownObject"
    return Message(message_type=MessageType.ERROR, reply_serial=serial, error_name=name, signature="s", body=["gone"])


class Asked:
    """Jobs that ask for types by the serials 1000 + n, and what they told."""

    def __init__(self) -> None:
        self.told: list[UnitEvent] = []
        self.jobs = Jobs(self.told.append, lambda path: 1000 + int(path.rpartition("/")[2]))


@st.composite
def messages(draw: st.DrawFn) -> list[tuple[str, int]]:
    """For each of some jobs its beginning, then its end and the reply about its type in either order; all mixed."""
    waiting = {job_id: ["new", *draw(st.permutations(["reply", "removed"]))] for job_id in range(1, 5)}
    order: list[tuple[str, int]] = []
    while waiting:
        job_id = draw(st.sampled_from(sorted(waiting)))
        order.append((waiting[job_id].pop(0), job_id))
        if not waiting[job_id]:
            del waiting[job_id]
    return order


@given(order=messages(), gone=st.sets(st.integers(1, 4)), ours=st.sets(st.integers(1, 4)))
def test_every_job_is_told_once_its_beginning_before_its_end(
    order: list[tuple[str, int]], gone: set[int], ours: set[int]
) -> None:
    """`gone`: over before systemd could answer what they were."""
    asked = Asked()

    async def send() -> None:
        for job_id in ours:
            asked.jobs.own_calls.add(job_id)
            asked.jobs.replied(reply(job_id, "o", path_of(job_id)))
        for word, job_id in order:
            if word == "new":
                asked.jobs.new(job_id, path_of(job_id), f"{job_id}.service")
            elif word == "removed":
                asked.jobs.removed(job_id, f"{job_id}.service", "done")
            else:
                serial = 1000 + job_id
                asked.jobs.replied(error(serial) if job_id in gone else reply(serial, "v", Variant("s", "restart")))

    asyncio.run(send())
    told = defaultdict(list)
    for event in asked.told:
        told[event.job_id].append(event)
    assert sorted(told) == [1, 2, 3, 4]
    for job_id, (began, ended) in told.items():
        assert (began.kind, ended.kind) == ("job_new", "job_removed")
        assert {began.unit, ended.unit} == {f"{job_id}.service"}
        assert (began.job_result, ended.job_result) == ("", "done")
        assert {began.job_type, ended.job_type} == {"" if job_id in gone else "restart"}
        assert {began.ours, ended.ours} == {job_id in ours}


async def test_our_own_call_waits_for_its_own_job() -> None:
    asked = Asked()
    asked.jobs.own_calls.add(7)
    asked.jobs.replied(reply(7, "o", path_of(3)))
    result = asyncio.ensure_future(asked.jobs.result(path_of(3)))
    await asyncio.sleep(0)
    asked.jobs.removed(2, "other.service", "failed")
    assert not result.done()
    asked.jobs.removed(3, "web.service", "timeout")
    assert await result == "timeout"


async def test_who_waits_for_a_job_hears_that_the_bus_is_lost() -> None:
    asked = Asked()
    asked.jobs.own_calls.add(7)
    asked.jobs.replied(reply(7, "o", path_of(3)))
    asked.jobs.lost(BusError("org.freedesktop.DBus.Error.Disconnected", "the bus is gone"))
    with pytest.raises(BusError, match="the bus is gone"):
        await asked.jobs.result(path_of(3))


async def test_an_answer_to_a_question_is_older_than_a_signal_meanwhile() -> None:
    """An asked-for state that overtook a signal would make the stop below a start."""
    asked = Asked()
    asked.jobs.unit_changed("web.service", {"ActiveState": Variant("s", "active")})
    asked.jobs.unit_is("web.service", "inactive")
    asked.jobs.new(1, path_of(1), "web.service")
    asked.jobs.unit_changed("web.service", {"ActiveState": Variant("s", "inactive")})
    asked.jobs.removed(1, "web.service", "done")
    asked.jobs.replied(error(1001))
    assert asked.told[-1].job_type == "stop"


async def test_an_unread_change_is_not_repeated_and_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "QUEUED_EVENTS", 2)
    events = UnitEvents()
    changed = [UnitEvent(unit=name, kind="changed") for name in ("a", "b", "c")]
    for event in [changed[0], changed[0], changed[1], changed[1], changed[2]]:
        events.put(event)
    assert [await anext(events), await anext(events)] == changed[1:]


async def test_a_change_that_was_read_is_told_again() -> None:
    events = UnitEvents()
    change = UnitEvent(unit="a", kind="changed")
    for _ in range(2):
        events.put(change)
        assert await anext(events) == change


async def test_the_end_is_the_end_for_everybody_who_reads() -> None:
    events = UnitEvents()
    await events.aclose()
    for _ in range(2):
        assert [event async for event in events] == []
