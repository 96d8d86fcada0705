from pathlib import Path

from guardian_agent.config import load
from guardian_agent.custom.catalogue import Catalogue, installed
from guardian_agent.playbooks import PLAYBOOKS
from guardian_agent.probes import PROBES

DECLARED = """
[probes.host_battery]
command = ["/usr/local/bin/battery"]
issue_type = "battery_low"
interval_s = 60
[playbooks.dim_lights]
heals = ["battery_low", "http_error"]
execute = ["/usr/local/bin/dim"]
tier = 2
"""


def read(tmp_path: Path, text: str):
    path = tmp_path / "agent.toml"
    path.write_text(text)
    known = Catalogue()
    return load(path, probe_fields={}, playbook_fields={}, issue_types=known.issue_types)


def test_without_others_there_are_our_own():
    assert installed() == Catalogue() and (Catalogue().probes, Catalogue().playbooks) == (PROBES, PLAYBOOKS)


def test_what_is_declared_comes_after_our_own(tmp_path):
    config = read(tmp_path, DECLARED)
    whole = Catalogue().with_declared(config)
    assert [probe.probe_id() for probe in whole.probes[len(PROBES) :]] == ["host_battery"]
    assert "battery_low" in whole.issue_types
    assert config.probes["host_battery"].interval_s == 60 and config.playbooks["dim_lights"].tier == 2
    assert "dim_lights" in whole.configured(config.playbooks)


def test_it_is_the_ladder_of_what_has_none_and_of_nothing_else(tmp_path):
    whole = Catalogue().with_declared(read(tmp_path, DECLARED))
    ladders = whole.ladders({"http_error": ("restart_service",)})
    assert ladders == {"http_error": ("restart_service",), "battery_low": ("dim_lights",)}
