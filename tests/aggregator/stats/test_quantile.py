import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_aggregator.stats.durations import Durations
from guardian_aggregator.stats.quantile import quantile

durations = st.lists(st.floats(0.001, 1e6), min_size=1).map(sorted)


@given(durations, st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]))
def test_it_is_numpys_inverse_of_the_distribution_within_one_per_cent(ascending, share):
    expected = np.quantile(ascending, share, method="inverted_cdf")
    assert quantile(Durations.of(ascending), share) == pytest.approx(expected, rel=0.01, abs=1e-6)


@given(durations, st.floats(0.01, 1))
def test_at_least_that_share_is_not_longer(ascending, share):
    value = quantile(Durations.of(ascending), share)
    assert sum(each <= value * 1.01 for each in ascending) >= share * len(ascending) - 1e-6


@pytest.mark.parametrize(("share", "value"), [(0.5, 5), (0.9, 9), (0.95, 10), (0.99, 10)])
def test_of_one_to_ten(share, value):
    assert quantile(Durations.of(range(1, 11)), share) == value


def test_nothing_has_no_quantile():
    assert quantile(Durations.of([]), 0.5) is None


@pytest.mark.parametrize("share", [0, -0.1, 1.1])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="share"):
        quantile(Durations.of([1.0]), share)
