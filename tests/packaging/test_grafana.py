"""The dashboard shipped for Grafana asks for what the aggregator and the shipped rules tell."""

import json
import re
from itertools import combinations
from pathlib import Path

from tests.packaging.test_prometheus import exposed

__all__ = ["exposed"]

PACKAGING = Path(__file__).parents[2] / "packaging"
DASHBOARD = json.loads((PACKAGING / "grafana" / "guardian.json").read_text())
RULES = (PACKAGING / "prometheus" / "guardian.rules.yml").read_text()


def test_every_panel_asks_for_what_there_is(exposed):
    told = set(re.findall(r"^# TYPE (\S+)", exposed, flags=re.MULTILINE))
    recorded = set(re.findall(r"record: (\S+)", RULES))
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            asked = re.findall(r"\bguardian[a-z0-9_:]+", target["expr"])
            assert asked
            assert {name.removesuffix("_bucket") for name in asked} <= told | recorded, panel["title"]


def test_panels_lie_beside_each_other():
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart = [one[at] + one[size] <= other[at] or other[at] + other[size] <= one[at] for at, size in ("xw", "yh")]
        assert any(apart)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
