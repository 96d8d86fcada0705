import msgspec
import pytest
from tests.agent.detection.stamps import at as stamp

from guardian_agent.detection.holds import LONGEST_JOB_S, Hold, Holds
from guardian_agent.host import UnitEvent, UnitState

NAME = "nginx.service"
UP = UnitState(unit=NAME, load_state="loaded", active_state="active", sub_state="running")
DOWN = UnitState(unit=NAME, load_state="loaded", active_state="inactive", sub_state="dead")
FAILED = UnitState(unit=NAME, load_state="loaded", active_state="failed", sub_state="failed")


class Kept:
    """Holds, and what it had remembered and forgotten."""

    def __init__(self) -> None:
        self.kept: dict[str, Hold] = {}
        self.holds = Holds(remember=self._remember, forget=self._forget)

    def _remember(self, hold: Hold) -> None:
        self.kept[hold.component] = hold

    def _forget(self, component: str) -> None:
        del self.kept[component]

    def hear(
        self,
        kind: str,
        state: UnitState,
        *,
        job: str = "",
        result: str = "",
        ours: bool = False,
        missed: bool = False,
        propagated: bool = False,
        at: float = 1.0,
    ) -> None:
        event = UnitEvent(unit=NAME, kind=kind, job_id=7, job_type=job, job_result=result, ours=ours, missed=missed)
        self.holds.take_in("web", event, state, stamp(at), propagated=propagated)


@pytest.fixture
def web() -> Kept:
    return Kept()


def test_a_stop_by_hand_holds_until_it_is_up_again_by_whomever(web: Kept) -> None:
    web.hear("job_removed", DOWN, job="stop", result="done")
    assert web.holds.reason("web") == "nginx.service was stopped by hand"
    assert web.holds.is_quiet("web") and "web" in web.kept
    web.hear("changed", UP)
    assert web.holds.reason("web") == "" and not web.holds.is_quiet("web") and web.kept == {}


def test_who_starts_it_wants_it_up_whatever_comes_of_that(web: Kept) -> None:
    web.hear("job_removed", DOWN, job="stop", result="done")
    web.hear("job_new", DOWN, job="start")
    web.hear("job_removed", FAILED, job="start", result="failed")
    assert web.holds.reason("web") == "" and not web.holds.is_quiet("web") and web.kept == {}


def test_a_start_that_a_stop_took_the_place_of_releases_nothing(web: Kept) -> None:
    web.hear("job_new", DOWN, job="stop")
    web.hear("job_removed", DOWN, job="start", result="canceled")
    assert web.holds.reason("web") == "nginx.service was stopped by hand"


def test_our_own_stop_holds_nothing(web: Kept) -> None:
    web.hear("job_removed", DOWN, job="stop", result="done", ours=True)
    assert web.holds.reason("web") == "" and web.holds.last_foreign_job("web") is None


def test_a_stop_that_ended_in_a_kill_is_a_stop_all_the_same(web: Kept) -> None:
    web.hear("job_removed", FAILED, job="stop", result="done")
    assert web.holds.reason("web")


@pytest.mark.parametrize("job", ["start", "restart", "reload"])
def test_another_job_that_fails_is_no_stop(web: Kept, job: str) -> None:
    web.hear("job_removed", FAILED, job=job, result="failed")
    assert web.holds.reason("web") == ""
    assert web.holds.last_foreign_job("web") == stamp(1)


def test_a_job_whose_type_was_gone_is_a_stop_when_it_left_the_unit_inactive(web: Kept) -> None:
    web.hear("job_removed", FAILED, result="done")
    assert web.holds.reason("web") == ""
    web.hear("job_removed", DOWN, result="done")
    assert web.holds.reason("web")


def test_a_crash_is_no_stop(web: Kept) -> None:
    web.hear("changed", FAILED)
    web.hear("changed", DOWN)
    assert web.holds.reason("web") == "" and not web.holds.is_quiet("web")


def test_a_masked_unit_is_held(web: Kept) -> None:
    web.hear("changed", msgspec.structs.replace(DOWN, load_state="masked"))
    assert web.holds.reason("web") == "nginx.service is masked"


def test_a_package_upgrade_holds_between_its_stop_and_its_start_only(web: Kept) -> None:
    stopping = msgspec.structs.replace(DOWN, active_state="deactivating", job_id=7, job_type="stop")
    starting = msgspec.structs.replace(DOWN, active_state="activating", job_id=8, job_type="start")
    quiet = []
    for kind, state, job in [
        ("job_new", stopping, "stop"),
        ("changed", stopping, ""),
        ("job_removed", DOWN, "stop"),
        ("job_new", starting, "start"),
        ("changed", starting, ""),
        ("job_removed", UP, "start"),
    ]:
        web.hear(kind, state, job=job, result="done" if kind == "job_removed" else "")
        quiet.append(web.holds.is_quiet("web"))
    assert quiet == [True, True, True, True, True, False]


def test_a_restart_by_hand_is_quiet_while_it_lasts_and_no_hold(web: Kept) -> None:
    down_for_now = msgspec.structs.replace(DOWN, active_state="deactivating", job_id=7, job_type="restart")
    web.hear("job_new", down_for_now, job="restart")
    assert web.holds.is_quiet("web") and web.holds.reason("web") == ""
    web.hear("job_removed", UP, job="restart", result="done")
    assert not web.holds.is_quiet("web") and web.holds.last_foreign_job("web") == stamp(1)


def test_a_pending_automatic_restart_is_not_quiet(web: Kept) -> None:
    web.hear("changed", msgspec.structs.replace(DOWN, sub_state="auto-restart", job_id=9))
    assert not web.holds.is_quiet("web")


def test_a_job_whose_end_was_never_told_is_given_up(web: Kept) -> None:
    web.hear("job_new", msgspec.structs.replace(DOWN, job_id=7), job="start", at=0)
    web.holds.expire(stamp(LONGEST_JOB_S - 1))
    assert web.holds.is_quiet("web")
    web.holds.expire(stamp(LONGEST_JOB_S))
    assert not web.holds.is_quiet("web")


def test_after_a_lost_bus_a_unit_that_is_up_ends_hold_and_quiet(web: Kept) -> None:
    web.hear("job_new", msgspec.structs.replace(DOWN, job_id=7), job="stop")
    web.holds.hold("web", "stopped", stamp(1))
    web.hear("changed", UP, missed=True)
    assert not web.holds.is_quiet("web")


def test_a_unit_that_is_up_is_quiet_until_the_end_of_its_job_is_told(web: Kept) -> None:
    web.hear("job_new", msgspec.structs.replace(UP, job_id=7), job="restart")
    web.hear("changed", UP)  # it is over, and may not serve yet
    assert web.holds.is_quiet("web")
    web.hear("job_removed", UP, job="restart", result="done")
    assert not web.holds.is_quiet("web")


def test_the_first_reason_stays(web: Kept) -> None:
    web.holds.hold("web", "first", stamp(1))
    web.holds.hold("web", "second", stamp(2))
    assert web.holds.reason("web") == "first" and web.kept["web"].since == stamp(1)


def test_a_restored_hold_holds_and_an_older_one_than_the_boot_ends(web: Kept) -> None:
    web.kept["web"] = Hold(component="web", reason="stopped", since=stamp(100))
    web.holds.restore(web.kept)
    web.holds.release_of_earlier_boot("web", stamp(1))
    assert web.holds.reason("web") == "stopped"
    web.holds.release_of_earlier_boot("web", stamp(1, "boot-2"))
    web.holds.release_of_earlier_boot("other", stamp(1, "boot-2"))
    assert web.holds.reason("web") == ""


STOPPING = msgspec.structs.replace(UP, active_state="deactivating", job_id=7, job_type="stop")


def test_a_stop_by_hand_holds_from_its_beginning_and_no_longer_when_the_unit_is_up_after_it(web: Kept) -> None:
    web.hear("job_new", msgspec.structs.replace(UP, job_id=7, job_type="stop"), job="stop")
    assert web.holds.reason("web")
    web.hear("changed", STOPPING)
    assert web.holds.reason("web")
    web.hear("job_removed", UP, job="stop", result="canceled")
    assert web.holds.reason("web") == "" and not web.holds.is_quiet("web")


def test_a_stop_that_systemd_queued_for_what_the_unit_needs_holds_nothing(web: Kept) -> None:
    web.hear("job_new", STOPPING, job="stop", propagated=True)
    web.hear("job_removed", DOWN, job="stop", result="done")
    assert web.holds.reason("web") == "" and not web.holds.is_quiet("web")


def test_two_reads_without_a_job_end_the_waiting_for_its_end(web: Kept) -> None:
    web.hear("job_new", msgspec.structs.replace(DOWN, job_id=7), job="start")
    assert web.holds.pending == {"web"}
    assert not web.holds.read_pending("web", DOWN) and not web.holds.read_pending("web", STOPPING)
    assert not web.holds.read_pending("web", DOWN) and web.holds.read_pending("web", DOWN)
    assert web.holds.pending == set()


def test_a_job_is_known_from_the_moment_that_it_is_heard_of(web: Kept) -> None:
    event = UnitEvent(unit=NAME, kind="job_new", job_id=7)
    web.holds.hear("web", event, stamp(1.0))
    assert web.holds.is_quiet("web"), "what the job takes away decides nothing"
    web.hear("job_removed", UP, job="restart", result="done")
    assert not web.holds.is_quiet("web")


def test_systemds_own_restart_is_no_job_that_keeps_anybody_quiet(web: Kept) -> None:
    web.holds.hear("web", UnitEvent(unit=NAME, kind="job_new", job_id=7), stamp(1.0))
    restarting = msgspec.structs.replace(DOWN, active_state="activating", sub_state="auto-restart", job_id=7)
    web.hear("job_new", restarting)
    assert not web.holds.is_quiet("web")
