from guardian_agent.host.growth import MOST_SAMPLES, Growth
from guardian_agent.model import Stamp


def at(seconds: float, boot: str = "boot") -> Stamp:
    return Stamp(boot, int(seconds * 1e9), int(seconds * 1e9))


def test_growth_is_told_from_the_second_sample_on() -> None:
    growth = Growth()
    assert growth.of("a", {"errors": 5}, at(0), 10) is None
    grown = growth.of("a", {"errors": 8}, at(4), 10)
    assert grown is not None and (grown.by, grown.seconds) == ({"errors": 3}, 4.0)
    assert growth.of("b", {"errors": 8}, at(4), 10) is None, "another key has nothing to do with it"


def test_what_is_older_than_was_asked_for_does_not_count() -> None:
    growth = Growth()
    for second in range(30):
        grown = growth.of("a", {"errors": second * 2}, at(second), 10)
    assert grown is not None and (grown.by, grown.seconds) == ({"errors": 20}, 10.0)


def test_a_counter_that_went_backwards_or_another_boot_begins_anew() -> None:
    growth = Growth()
    growth.of("a", {"errors": 5}, at(0), 10)
    assert growth.of("a", {"errors": 1}, at(1), 10) is None
    assert growth.of("a", {"errors": 2}, at(2, "next"), 10) is None


def test_a_burst_of_looks_keeps_no_more_samples_than_needed() -> None:
    growth = Growth()
    for step in range(10_000):
        grown = growth.of("a", {"errors": step}, at(step / 1000), 10)
    assert grown is not None and grown.seconds > 9.0
    assert len(growth._samples["a"]) <= MOST_SAMPLES + 2
