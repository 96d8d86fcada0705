from hypothesis import given
from hypothesis import strategies as st
from tests.agent.detection.stamps import at

from guardian_agent.healing.ladders import (
    BACK_OFF_FACTOR,
    DAY_S,
    DEFAULT_LADDERS,
    HEALTHY_AGAIN_S,
    LONGEST_COOLDOWN_S,
    LadderMemory,
    Progress,
    Tried,
)
from guardian_agent.model import Incident, Layer
from guardian_agent.playbooks import PLAYBOOKS


def incident(issue_type: str = "service_failed", target: str = "web") -> Incident:
    return Incident(
        incident_id="i1",
        target=target,
        issue_type=issue_type,
        layer=Layer.HOST,
        owner_probe="host_unit",
        first_bad_at=at(0),
        detected_at=at(0),
    )


class Kept:
    def __init__(self) -> None:
        self.kept: dict[str, Progress] = {}
        self.memory = LadderMemory(self.kept.__setitem__)


def test_every_rung_is_a_playbook_that_says_it_heals_this() -> None:
    heals = {playbook.playbook_id(): playbook.heals for playbook in PLAYBOOKS}
    plain = {"restart_component"}  # the last resort beside its own issue types
    for issue_type, ladder in DEFAULT_LADDERS.items():
        assert ladder and all(issue_type in heals[playbook] or playbook in plain for playbook in ladder)


@given(st.integers(1, 30), st.floats(0.0, 7200.0), st.floats(0.0, 600.0))
def test_each_further_attempt_waits_twice_as_long_up_to_a_bound(tries: int, since_s: float, cooldown_s: float) -> None:
    progress = Progress()
    for _ in range(tries):
        progress = progress.attempted("restart_service", at(1000))
    left = progress.cooldown_left_s(at(1000 + since_s), cooldown_s)
    wait = min(LONGEST_COOLDOWN_S, cooldown_s * BACK_OFF_FACTOR ** (tries - 1))
    assert 0.0 <= left <= LONGEST_COOLDOWN_S
    assert abs(left - max(0.0, wait - since_s)) < 1e-3


def test_the_first_attempt_waits_for_nothing() -> None:
    assert Progress().cooldown_left_s(at(0), 60.0) == 0.0


def test_health_forgets_rung_and_back_off_and_a_day_the_attempts() -> None:
    tried = (Tried("restart_service", at(0)),)
    progress = Progress(rung=1, attempts=tried, in_a_row=3, closed_at=at(10))
    assert progress.at(at(10 + HEALTHY_AGAIN_S - 1)) == progress
    healthy = progress.at(at(10 + HEALTHY_AGAIN_S))
    assert healthy == Progress(attempts=tried)
    assert healthy.cooldown_left_s(at(10 + HEALTHY_AGAIN_S), 3600.0) == 0.0
    assert progress.at(at(DAY_S)).attempts == ()


def test_attempts_are_counted_by_playbook_and_the_back_off_by_issue() -> None:
    progress = Progress().attempted("restart_service", at(0)).attempted("restart_component", at(5))
    progress = progress.attempted("restart_component", at(10))
    assert [progress.attempts_of(key) for key in ("restart_service", "restart_component", "rebind_port")] == [1, 2, 0]
    assert progress.cooldown_left_s(at(10), 10.0) == 40.0


def test_while_the_issue_lasts_no_time_is_health() -> None:
    kept = Kept()
    kept.memory.attempted(incident(), "restart_service", 1, at(0))
    kept.memory.closed(incident(), at(10))
    resumed = kept.memory.resumed(incident(), at(500))
    assert (resumed.rung, resumed.in_a_row, resumed.closed_at) == (1, 1, None)
    assert kept.memory.of(incident(), at(5000)).in_a_row == 1
    kept.memory.closed(incident(), at(5000))
    assert kept.memory.resumed(incident(), at(5000 + HEALTHY_AGAIN_S)).in_a_row == 0


def test_an_end_counts_for_every_issue_type_of_the_target_and_for_no_other_target() -> None:
    kept = Kept()
    for issue_type, target in [("service_failed", "web"), ("http_error", "web"), ("http_error", "web2")]:
        kept.memory.attempted(incident(issue_type, target), "restart_service", 0, at(0))
    kept.memory.closed(incident("http_error"), at(10))
    assert {key: progress.closed_at for key, progress in kept.kept.items()} == {
        "web/service_failed": at(10),
        "web/http_error": at(10),
        "web2/http_error": None,
    }


def test_an_end_does_not_begin_anew_the_health_of_what_had_ended_before() -> None:
    kept = Kept()
    kept.memory.attempted(incident("service_failed"), "restart_service", 0, at(0))
    kept.memory.closed(incident("service_failed"), at(10))
    kept.memory.closed(incident("http_error"), at(500))
    assert kept.kept["web/service_failed"].closed_at == at(10)


def test_what_was_never_tried_needs_no_memory() -> None:
    kept = Kept()
    kept.memory.closed(incident(), at(1))
    kept.memory.resumed(incident(), at(2))
    assert kept.kept == {} and kept.memory.of(incident(), at(3)) == Progress()


def test_a_restart_of_the_agent_forgets_nothing_even_across_a_boot() -> None:
    kept = Kept()
    kept.memory.on_rung(incident(), 1, at(0))
    kept.memory.attempted(incident(), "restart_service", 1, at(5))
    later = Kept()
    later.memory.restore(kept.kept)
    assert later.memory.of(incident(), at(6)) == kept.memory.of(incident(), at(6))
    rebooted = at(60, boot_id="boot-2")
    assert later.memory.of(incident(), rebooted).in_a_row == 1
