"""Which of an agent's streams goes on."""

import pytest

from guardian_aggregator.errors import Refused
from guardian_aggregator.ingest.roster import ALTERNATION_NS, BothRefused, Closing, Roster
from guardian_aggregator.model import StreamId

A, B, C = (StreamId("web-1", letter * 16) for letter in (b"a", b"b", b"c"))


def enter(roster: Roster, *streams: StreamId, at: int = 0) -> None:
    for second, stream in enumerate(streams):
        roster.leave(roster.enter(stream, at + second))


async def test_an_agent_that_reconnects_is_always_taken():
    enter(Roster(), A, A, A, A, A)


async def test_new_epochs_are_taken_however_many():
    enter(Roster(), A, B, C, StreamId("web-1", b"d" * 16))


async def test_going_back_once_is_taken():
    enter(Roster(), A, B, A)


async def test_other_agents_epochs_do_not_matter():
    other = StreamId("web-2", A.epoch)
    enter(Roster(), A, other, A, other, A, other)


async def test_two_epochs_in_turn_are_refused_and_the_first_such_hello_says_so():
    roster = Roster()
    enter(roster, A, B, A)
    with pytest.raises(BothRefused) as first:
        roster.enter(B, 3)
    with pytest.raises(BothRefused) as second:
        roster.enter(A, 4)
    assert (first.value.first, second.value.first) == (True, False)


async def test_the_stream_that_is_connected_ends_too():
    roster = Roster()
    enter(roster, A, B)
    connected = roster.enter(A, 2)
    with pytest.raises(BothRefused):
        roster.enter(B, 3)
    assert connected.fenced.result().code == "BOTH_REFUSED"


async def test_after_ten_quiet_minutes_the_one_that_is_left_is_taken_again():
    roster = Roster()
    enter(roster, A, B, A)
    for at in (3, ALTERNATION_NS):
        with pytest.raises(Refused):
            roster.enter(B, at)
    assert roster.enter(B, ALTERNATION_NS + 3)


async def test_turns_taken_slower_than_ten_minutes_are_reinstallations():
    roster = Roster()
    for turn in range(6):
        enter(roster, (A, B)[turn % 2], at=turn * ALTERNATION_NS)


async def test_a_session_fences_nobody_before_it_is_confirmed():
    roster = Roster()
    older, newer = roster.enter(A, 0), roster.enter(A, 1)
    assert not older.fenced.done()
    roster.confirm(newer)
    assert (older.fenced.result().code, newer.fenced.done()) == ("SUPERSEDED", False)
    assert not roster.leave(older)
    assert roster.leave(newer)


async def test_when_it_closes_every_stream_ends_and_none_comes_in():
    roster = Roster()
    session = roster.enter(A, 0)
    roster.close()
    assert isinstance(session.fenced.result(), Closing)
    with pytest.raises(Closing):
        roster.enter(A, 1)


async def test_a_session_fences_the_older_ones_only():
    roster = Roster()
    older, newer = roster.enter(A, 0), roster.enter(A, 1)
    roster.confirm(older)
    assert not newer.fenced.done()
    roster.confirm(newer)
    assert (older.fenced.done(), newer.fenced.done()) == (True, False)
