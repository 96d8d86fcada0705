import ctypes

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host.adjtimex import ROOM_BYTES, STA_NANO, STA_UNSYNC, TIME_ERROR, TIMEX, clock_offset_s


class Libc:
    """Answers adjtimex(2) as told."""

    def __init__(self, state: int, offset: int, status: int) -> None:
        self._state, self._offset, self._status = state, offset, status

    def adjtimex(self, timex: ctypes.Array) -> int:
        assert timex.raw == bytes(ROOM_BYTES), "nothing is to be set"
        TIMEX.pack_into(timex, 0, 0, self._offset, 0, 16, 16, self._status)
        return self._state


@pytest.mark.parametrize(
    ("state", "offset", "status", "told"),
    [
        (0, -250_000_000, STA_NANO, -0.25),
        (0, 250_000, 0, 0.25),
        (0, 0, STA_NANO, 0.0),
        (TIME_ERROR, 5, STA_UNSYNC, None),
        (0, 5, STA_UNSYNC, None),
        (TIME_ERROR, 5, 0, None),
    ],
)
def test_the_offset_is_told_in_seconds_and_none_where_nobody_disciplines_the_clock(
    monkeypatch: pytest.MonkeyPatch, state: int, offset: int, status: int, told: float | None
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Libc(state, offset, status))
    assert clock_offset_s() == told


def test_whoever_may_not_ask_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def adjtimex(self, timex: object) -> int:
            ctypes.set_errno(1)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Refusing())
    with pytest.raises(ProbeError, match="cannot be asked: Operation not permitted"):
        clock_offset_s()


def test_this_kernel_answers() -> None:
    told = clock_offset_s()
    assert told is None or abs(told) <= 0.5
