import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_agent.host.bus import unit_at, unit_path


@pytest.mark.parametrize(
    ("unit", "path"),
    [
        ("nginx.service", "/org/freedesktop/systemd1/unit/nginx_2eservice"),
        ("app@1.service", "/org/freedesktop/systemd1/unit/app_401_2eservice"),
        ("0a_b-c.mount", "/org/freedesktop/systemd1/unit/_30a_5fb_2dc_2emount"),
    ],
)
def test_units_have_the_paths_that_systemd_gives_them(unit, path):
    assert unit_path(unit) == path


@given(st.text(min_size=1))
def test_a_path_leads_back_to_its_unit(unit):
    assert unit_at(unit_path(unit)) == unit
