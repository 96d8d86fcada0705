from hypothesis import given
from hypothesis import strategies as st

from guardian_aggregator.api.outcomes import ATTEMPTED, count_outcomes
from guardian_aggregator.model import Outcome

counts = st.dictionaries(
    st.tuples(st.sampled_from("pq"), st.none() | st.sampled_from([each.value for each in Outcome])),
    st.integers(1, 1000),
)


@given(counts)
def test_the_playbooks_add_up_to_all(counted):
    every, parts = count_outcomes(counted), [count_outcomes(counted, name) for name in "pq"]
    assert every.total == sum(part.total for part in parts) == sum(counted.values())
    assert every.running == sum(part.running for part in parts)


@given(counts)
def test_only_what_tried_and_ended_moves_the_success_rate(counted):
    without = {key: n for key, n in counted.items() if key[1] in ATTEMPTED}
    assert count_outcomes(counted).success_rate == count_outcomes(without).success_rate


def test_every_outcome_is_told_even_when_there_is_none():
    told = count_outcomes({})
    assert told.by_outcome == {each.value: 0 for each in Outcome}
    assert told.success_rate is None


def test_an_outcome_of_a_newer_agent_is_counted_by_its_name():
    assert count_outcomes({("p", "deferred"): 2}).by_outcome["deferred"] == 2
