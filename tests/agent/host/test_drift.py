from guardian_agent.host.drift import KEPT_S, Drift
from guardian_agent.model import Stamp


def at(seconds: float, *, wall_ahead_s: float = 0.0, boot: str = "boot") -> Stamp:
    return Stamp(boot, int(seconds * 1e9), int((seconds + wall_ahead_s) * 1e9))


def test_a_clock_that_is_set_forward_has_leapt_until_that_is_long_ago() -> None:
    drift = Drift()
    assert drift.leapt_s(at(0)) == 0
    assert drift.leapt_s(at(10, wall_ahead_s=3600)) == 3600
    assert drift.leapt_s(at(20, wall_ahead_s=3600)) == 3600
    assert drift.leapt_s(at(20, wall_ahead_s=3600), within_s=5) == 0
    assert drift.leapt_s(at(10 + KEPT_S + 1, wall_ahead_s=3600)) == 0


def test_a_clock_that_is_set_back_to_where_it_was_is_right_again() -> None:
    drift = Drift()
    drift.leapt_s(at(0))
    assert drift.leapt_s(at(1, wall_ahead_s=-30)) == -30
    assert drift.leapt_s(at(2)) == 0


def test_a_clock_that_is_slewed_has_not_leapt_however_far_it_gets() -> None:
    drift = Drift()
    assert not any(drift.leapt_s(at(second, wall_ahead_s=second / 100)) for second in range(1000))


def test_another_boot_begins_anew() -> None:
    drift = Drift()
    drift.leapt_s(at(0))
    drift.leapt_s(at(1, wall_ahead_s=60))
    assert drift.leapt_s(at(2, wall_ahead_s=600, boot="next")) == 0
