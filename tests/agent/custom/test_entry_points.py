import sys
import types
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import pytest

from guardian_agent.custom.entry_points import installed_playbooks, installed_probes
from guardian_agent.errors import ConfigError
from guardian_agent.model import Layer, Tier
from guardian_agent.plugin import Playbook, Probe


def brought(monkeypatch, module: str, **members: object) -> None:
    """A module of another package, as if it were installed."""
    made = types.ModuleType(module)
    for name, member in members.items():
        if isinstance(member, type):
            member.__module__ = module
        setattr(made, name, member)
    monkeypatch.setitem(sys.modules, module, made)


def point(group: str, name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=group)


def probe_of(layer_: Any = Layer.APPLICATION, issues: Any = ("queue_stuck",)) -> type[Probe]:
    class Age(Probe, frozen=True):
        layer: ClassVar = layer_
        issue_types: ClassVar = issues

    return Age


def playbook_of(issues: tuple[str, ...] = ("queue_stuck",), tier_: Any = Tier.AUTOMATIC) -> type[Playbook]:
    class Skip(Playbook, frozen=True):
        heals: ClassVar = issues
        tier: ClassVar = tier_

    return Skip


def test_what_is_installed_is_found_in_the_order_of_names(monkeypatch):
    brought(monkeypatch, "theirs.l7_b", Age=probe_of())
    brought(monkeypatch, "theirs.l7_a", Age=probe_of())
    points = [point("guardian.probes", name, f"theirs.{name}:Age") for name in ("l7_b", "l7_a")]
    assert [probe.probe_id() for probe in installed_probes((), points)] == ["l7_a", "l7_b"]
    brought(monkeypatch, "theirs.skip_job", Skip=playbook_of())
    (skip,) = installed_playbooks((), [point("guardian.playbooks", "skip_job", "theirs.skip_job:Skip")])
    assert (skip.playbook_id(), skip.family()) == ("skip_job", "custom")


def test_nothing_is_installed_here():
    assert installed_probes(()) == [] and installed_playbooks(()) == []


@pytest.mark.parametrize(
    ("name", "member", "says"),
    [
        ("l7_age", None, "cannot be loaded"),
        ("l7_age", object(), "is no Probe"),
        ("l7_age", playbook_of(), "is no Probe"),
        ("l7_other", probe_of(), "the file is called l7_age, and the entry point l7_other"),
        ("l7_age", probe_of(Layer.HOST), "must begin with its layer"),
        ("l7_age", probe_of("seven"), "must begin with its layer"),
        ("l7_age", probe_of(issues=()), "issue_types"),
        ("l7_age", probe_of(issues=("Queue stuck",)), "issue_types"),
    ],
)
def test_a_probe_that_cannot_be_used_is_an_error_that_names_it(monkeypatch, name, member, says):
    brought(monkeypatch, "theirs.l7_age", **({} if member is None else {"Age": member}))
    with pytest.raises(ConfigError) as caught:
        installed_probes((), [point("guardian.probes", name, "theirs.l7_age:Age")])
    (problem,) = caught.value.problems
    assert problem.startswith(f"guardian.probes {name}") and "theirs.l7_age:Age" in problem and says in problem


@pytest.mark.parametrize(
    ("member", "says"),
    [
        (playbook_of(tier_=None), "tier must be a Tier"),
        (playbook_of(issues=()), "heals must name what it mends"),
        (playbook_of(tier_=Tier.OBSERVES), "heals must name what it mends"),
    ],
)
def test_a_playbook_that_cannot_be_used_is_an_error_that_names_it(monkeypatch, member, says):
    brought(monkeypatch, "theirs.skip_job", Skip=member)
    with pytest.raises(ConfigError, match=says):
        installed_playbooks((), [point("guardian.playbooks", "skip_job", "theirs.skip_job:Skip")])


def test_every_problem_is_told_and_an_id_is_taken_once(monkeypatch):
    brought(monkeypatch, "theirs.l7_age", Age=probe_of())
    points = [point("guardian.probes", "l7_age", "theirs.l7_age:Age"), point("guardian.probes", "l7_none", "nowhere:N")]
    with pytest.raises(ConfigError) as caught:
        installed_probes(["l7_age"], points)
    assert [problem.split(": ", 1)[1] for problem in caught.value.problems] == [
        "there is another probe with this id",
        "cannot be loaded: No module named 'nowhere'",
    ]
