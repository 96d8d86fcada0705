"""The arithmetic of weighing."""

import pytest
from tests.bench.footprint import Footprint


def process(own_s: float, *, children_s: float = 0.0, kib: int = 1000) -> dict[str, float]:
    sizes = {"rss_kib": kib, "pss_kib": kib // 2, "threads": 2}
    return {"own_s": own_s, "first_thread_s": own_s / 4, "children_s": children_s, **sizes}


def test_what_was_used_is_the_difference_and_the_size_is_the_last_one() -> None:
    taken = Footprint.between(60.0, {"7": process(1.0, children_s=0.5)}, {"7": process(1.3, children_s=0.8, kib=3000)})
    assert taken.share == pytest.approx(0.01)
    assert taken.threads_s == pytest.approx(0.225)
    assert taken.round_ms(5.0) == pytest.approx(50.0)
    assert (taken.rss_kib, taken.pss_kib, taken.threads) == (3000, 1500, 2)


def test_what_a_child_has_used_is_counted_once() -> None:
    before, after = {"7": process(1.0), "8": process(9.0)}, {"7": process(1.1), "9": process(5.0)}
    taken = Footprint.between(10.0, before, after)
    assert taken.own_s == pytest.approx(0.1)
    assert taken.rss_kib == 1000


def test_a_watcher_that_was_started_anew_has_no_footprint() -> None:
    with pytest.raises(ValueError, match="no process stayed"):
        Footprint.between(10.0, {"7": process(1.0)}, {"8": process(0.1)})


def test_watchers_that_work_together_are_added_up() -> None:
    one = Footprint.between(10.0, {"7": process(1.0)}, {"7": process(1.1)})
    both = Footprint.together([one, one])
    assert both.share == pytest.approx(0.02)
    assert (both.rss_kib, both.threads) == (2000, 4)
