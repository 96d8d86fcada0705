"""What is shipped for Prometheus is read by Prometheus' own tool, and speaks of metrics that there are."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.aggregator.api import rows
from tests.aggregator.api.rows import ago

from guardian_aggregator.api.metrics import Metrics
from guardian_aggregator.store import Queries, Store

FOLDER = Path(__file__).parents[2] / "packaging" / "prometheus"
THEIRS = {"up"}  # Prometheus' own


@pytest.fixture
def promtool():
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return lambda *told, **more: subprocess.run([tool, *told], cwd=FOLDER, check=True, text=True, **more)


@pytest.fixture
async def exposed(tmp_path):
    store = Store(tmp_path / "guardian.db")
    queries = Queries(store.path)
    await store.greet(rows.hello("web-1"), ago(7200))
    yield (await Metrics().expose(queries, rows.NOW)).decode()
    queries.close()
    store.close()


def test_the_rules_are_rules_and_do_what_their_tests_say(promtool):
    promtool("check", "rules", "guardian.rules.yml")
    promtool("test", "rules", "guardian.rules.test.yml")


async def test_the_metrics_are_as_prometheus_wants_them(promtool, exposed):
    promtool("check", "metrics", input=exposed)


async def test_every_metric_that_a_rule_asks_for_is_there(exposed):
    rules = (FOLDER / "guardian.rules.yml").read_text()
    asked = set(re.findall(r"\bguardian_[a-z0-9_]+", rules))
    told = set(re.findall(r"^# TYPE (\S+)", exposed, flags=re.MULTILINE))
    assert len(asked) >= 7
    assert asked <= told
    assert set(re.findall(r"expr: (\w+)\{", rules)) - asked <= THEIRS


def test_every_alert_has_a_test():
    alerts = set(re.findall(r"alert: (\w+)", (FOLDER / "guardian.rules.yml").read_text()))
    tested = (FOLDER / "guardian.rules.test.yml").read_text()
    assert alerts and all(alert in tested for alert in alerts)
