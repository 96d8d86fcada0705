import pytest

from guardian_agent.detection.keeping import ANSWERING, MOST_UPSTREAM, kept, lost
from guardian_agent.host import KnownGood

GOOD = KnownGood(
    upstream=("192.0.2.1", "192.0.2.2"),
    echoing_gateways=("198.18.0.1",),
    gateway_rtt_s=0.001,
    path_mtus={"192.0.2.1": 1500, "192.0.2.2": 1500},
    names={"db": ("192.0.2.1",)},
    file_systems={"/": True, "/usr": False, "/stick": True},
)
NOTHING = KnownGood(file_systems={"/": False, "/usr": False})


def test_what_is_lost_is_who_does_not_answer_and_what_cannot_be_written_to_any_more() -> None:
    assert {field for field, _ in lost(GOOD, NOTHING)} == {*ANSWERING, "file_systems"}
    assert {one for field, one in lost(GOOD, NOTHING) if field == "file_systems"} == {"/"}
    assert lost(GOOD, GOOD) == set() and lost(NOTHING, GOOD) == set()


def test_what_is_kept_is_as_it_was_and_the_rest_is_gone() -> None:
    everything = kept(GOOD, NOTHING, lost(GOOD, NOTHING))
    assert everything == KnownGood(**{f: getattr(GOOD, f) for f in GOOD.__struct_fields__ if f != "file_systems"},
                                   file_systems={"/": True, "/usr": False})  # fmt: skip
    assert kept(GOOD, NOTHING, set()).upstream == ()
    assert kept(GOOD, NOTHING, {("upstream", "192.0.2.2")}).upstream == ("192.0.2.2",)
    assert kept(GOOD, NOTHING, lost(GOOD, NOTHING, ("path_mtus",))).path_mtus == {}, "of who is not upstream"


@pytest.mark.parametrize("answering", [1, MOST_UPSTREAM])
def test_ever_new_addresses_push_out_the_oldest_silent_ones(answering: int) -> None:
    before = KnownGood(upstream=tuple(f"192.0.2.{n}" for n in range(MOST_UPSTREAM)))
    seen = KnownGood(upstream=tuple(f"203.0.113.{n}" for n in range(answering)))
    now = kept(before, seen, lost(before, seen)).upstream
    assert now == (*before.upstream[answering:], *seen.upstream) and len(now) == MOST_UPSTREAM
