"""An acknowledgement is believed only where it can be true."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_agent.state import Batch
from guardian_agent.uplink.endings import NonsenseError
from guardian_agent.uplink.flight import Flight


def sent(flight: Flight, *last_seqs: int) -> None:
    flight.add(Batch(flight.sent + 1, b"", [b""] * len(last_seqs), list(last_seqs)))


@given(
    widths=st.lists(st.integers(1, 9), min_size=1, max_size=20), through=st.integers(0, 200), credit=st.integers(1, 50)
)
def test_only_the_end_of_a_sent_record_can_be_acknowledged(widths: list[int], through: int, credit: int) -> None:
    flight, ends = Flight(0, 50), [sum(widths[: index + 1]) for index in range(len(widths))]
    sent(flight, *ends)
    if through in (0, *ends):
        flight.acknowledge(through, credit)
        assert len(flight) == sum(end > through for end in ends)
        assert flight.room == credit - len(flight)
        assert flight.acked == through
    else:
        with pytest.raises(NonsenseError):
            flight.acknowledge(through, credit)


def test_a_gap_is_one_record_under_way() -> None:
    flight = Flight(4, 2)
    sent(flight, 900)
    assert (len(flight), flight.room, flight.sent) == (1, 1, 900)
    with pytest.raises(NonsenseError, match="middle of one record"):
        flight.acknowledge(500, 2)


def test_no_credit_is_a_pause_while_something_is_under_way() -> None:
    flight = Flight(0, 5)
    sent(flight, 1, 2)
    flight.acknowledge(1, 0)
    assert flight.room < 0
    with pytest.raises(NonsenseError, match="no credit"):
        flight.acknowledge(2, 0)
