from math import inf

from tests.bench.mttr import Round, misses, phases

TOLD = ("first_bad_at", "detected_at", "action_started_at", "action_finished_at", "verified_at")


def incident(*seconds: float | None, resolution: str = "auto", playbook: str | None = "restart_service"):
    moments = [None if each is None else f"2026-01-01T00:00:{each:06.3f}+00:00" for each in seconds]
    return dict(zip(TOLD, moments, strict=True)) | {"resolution": resolution, "playbook": playbook}


def rounded(told: Round) -> list[float]:
    return [round(each, 3) for each in (told.detect, told.decide, told.repair, told.verify, told.total)]


def test_the_phases_add_up_to_the_whole():
    told = phases([incident(1.0, 1.25, 1.5, 2.5, 3.0)])
    assert rounded(told) == [0.25, 0.25, 1.0, 0.5, 2.0] and told.playbook == "restart_service"


def test_it_begins_with_the_first_bad_look_of_all():
    followed = incident(0.5, 0.6, None, None, 3.0, resolution="spontaneous", playbook=None)
    assert phases([incident(1.0, 1.25, 1.5, 2.5, 3.0), followed]).total == 2.5


def test_what_no_playbook_mended_never_ends():
    assert phases([]).total == inf
    assert phases([incident(1.0, 1.25, 1.5, 2.5, 3.0, resolution="manual")]).total == inf


def test_one_round_that_never_ended_misses_the_goal():
    quick, slow, never = Round(total=1.0), Round(total=31.0), Round()
    assert misses({"a": [quick] * 3, "b": [quick, quick, slow], "c": [quick, quick, never], "d": []}) == ["b", "c", "d"]
