import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_aggregator.stats.quantile import quantile

durations = st.lists(st.floats(0, 1e6), min_size=1).map(sorted)


@given(durations, st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]))
def test_it_is_numpys_inverse_of_the_distribution(ascending, share):
    assert quantile(ascending, share) == np.quantile(ascending, share, method="inverted_cdf")


@given(durations, st.floats(0.01, 1))
def test_at_least_that_share_is_not_longer_and_it_really_happened(ascending, share):
    value = quantile(ascending, share)
    assert value in ascending
    assert sum(each <= value for each in ascending) >= share * len(ascending) - 1e-6


@pytest.mark.parametrize(("share", "value"), [(0.5, 5), (0.9, 9), (0.95, 10), (0.99, 10)])
def test_of_one_to_ten(share, value):
    assert quantile(list(range(1, 11)), share) == value


def test_nothing_has_no_quantile():
    assert quantile([], 0.5) is None


@pytest.mark.parametrize("share", [0, -0.1, 1.1])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="share"):
        quantile([1.0], share)
