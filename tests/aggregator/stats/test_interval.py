import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from guardian_aggregator.stats.interval import normal_quantile, student_quantile


@given(st.floats(0.001, 0.999))
def test_the_normal_quantile_is_scipys(probability):
    assert normal_quantile(probability) == pytest.approx(scipy.stats.norm.ppf(probability), abs=1e-9)


@given(st.floats(0.5, 0.975), st.integers(9, 100_000))
def test_students_quantile_is_scipys_to_a_thousandth_wherever_it_is_used(probability, freedom):
    assert student_quantile(probability, freedom) == pytest.approx(scipy.stats.t.ppf(probability, freedom), abs=1e-3)


def test_students_quantile_refuses_the_few_degrees_where_it_would_be_wrong():
    with pytest.raises(ValueError, match="5 degrees"):
        student_quantile(0.95, 4)
