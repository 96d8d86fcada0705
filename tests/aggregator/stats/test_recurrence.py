from hypothesis import given
from hypothesis import strategies as st

from guardian_aggregator.stats.recurrence import WITHIN_S, Episode, recurrences

DAY = 86_400


def episode(name, start, end, subject="web"):
    return Episode(id=name, subject=subject, start=start, end=end)


def test_trouble_that_comes_back_within_a_day_is_a_recurrence():
    assert recurrences([episode("a", 0, 10), episode("b", 10 + DAY, 10 + DAY + 5)]) == {"b"}


def test_trouble_that_comes_back_after_more_than_a_day_is_none():
    assert recurrences([episode("a", 0, 10), episode("b", 11 + DAY, None)]) == set()


def test_another_subjects_trouble_is_no_recurrence():
    assert recurrences([episode("a", 0, 10), episode("b", 20, 30, subject="db")]) == set()


def test_what_began_before_the_other_ended_is_no_recurrence():
    assert recurrences([episode("a", 0, None), episode("b", 5, 6)]) == set()


episodes = st.lists(
    st.tuples(st.floats(0, 3 * DAY), st.none() | st.floats(0, DAY), st.sampled_from("xy")), max_size=12
).map(lambda drawn: [episode(str(n), s, None if d is None else s + d, k) for n, (s, d, k) in enumerate(drawn)])


@given(episodes, st.randoms())
def test_the_order_in_which_they_are_told_does_not_matter(told, random):
    shuffled = told[:]
    random.shuffle(shuffled)
    distinct = len({each.start for each in told}) == len(told)
    assert not distinct or recurrences(shuffled) == recurrences(told)


@given(episodes)
def test_every_recurrence_has_an_earlier_end_of_its_subject_within_a_day(told):
    by_id = {each.id: each for each in told}
    for name in recurrences(told):
        late = by_id[name]
        assert any(
            early.end is not None and early.subject == late.subject and 0 <= late.start - early.end <= WITHIN_S
            for early in told
        )
