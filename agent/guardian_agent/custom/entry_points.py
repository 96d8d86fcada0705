"""Which probes and playbooks have other packages brought along?"""

import re
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from guardian_agent.errors import ConfigError
from guardian_agent.model import Layer, Tier
from guardian_agent.playbooks import Playbook
from guardian_agent.probes import Probe

PROBES_GROUP, PLAYBOOKS_GROUP = "guardian.probes", "guardian.playbooks"

_WORD = re.compile(r"[a-z]+(_[a-z0-9]+)*")
_Kind = TypeVar("_Kind", Probe, Playbook)


def installed_probes(known: Iterable[str], found: Iterable[EntryPoint] | None = None) -> list[type[Probe]]:
    """The classes under `guardian.probes`, in the order of their names.

    Raises:
        ConfigError: with a line for each that cannot be used, and why; an agent that left one out in silence would
            watch less than its operator believes.
    """
    return _installed(PROBES_GROUP, Probe, known, found)


def installed_playbooks(known: Iterable[str], found: Iterable[EntryPoint] | None = None) -> list[type[Playbook]]:
    """The classes under `guardian.playbooks`. Raises ConfigError as for probes."""
    return _installed(PLAYBOOKS_GROUP, Playbook, known, found)


def _installed(
    group: str, kind: type[_Kind], known: Iterable[str], found: Iterable[EntryPoint] | None
) -> list[type[_Kind]]:
    taken, classes, problems = set(known), [], []
    points = entry_points(group=group) if found is None else found
    for point in sorted(points, key=lambda point: point.name):
        try:
            loaded = point.load()
        except (ImportError, AttributeError, SyntaxError) as error:
            problems.append(f"{_shown(point)}: cannot be loaded: {error}")
            continue
        if problem := _problem(point, loaded, kind, taken):
            problems.append(f"{_shown(point)}: {problem}")
        else:
            taken.add(point.name)
            classes.append(loaded)
    if problems:
        raise ConfigError(problems)
    return classes


def _problem(point: EntryPoint, loaded: object, kind: type[Probe] | type[Playbook], taken: set[str]) -> str:
    if not (isinstance(loaded, type) and issubclass(loaded, kind)):
        return f"is no {kind.__name__}"
    own_id = loaded.probe_id() if issubclass(loaded, Probe) else loaded.playbook_id()
    if own_id != point.name:
        return f"the file is called {own_id}, and the entry point {point.name}: the id is both"
    if point.name in taken:
        return f"there is another {kind.__name__.lower()} with this id"
    return _problem_of_probe(loaded) if issubclass(loaded, Probe) else _problem_of_playbook(loaded)


def _problem_of_probe(probe: type[Probe]) -> str:
    layer, issue_types = getattr(probe, "layer", None), getattr(probe, "issue_types", ())
    prefix = probe.probe_id().partition("_")[0]
    if not isinstance(layer, Layer) or prefix != ("host" if layer == Layer.HOST else f"l{int(layer)}"):
        return 'its id must begin with its layer, as in "l7_queue_depth" or "host_battery"'
    if not issue_types or not all(_WORD.fullmatch(issue) for issue in issue_types):
        return "issue_types must be words such as queue_stuck, one at least"
    return ""


def _problem_of_playbook(playbook: type[Playbook]) -> str:
    tier = getattr(playbook, "tier", None)
    if not isinstance(tier, Tier):
        return "tier must be a Tier"
    if bool(playbook.heals) != (tier > Tier.OBSERVES):
        return "heals must name what it mends; one of tier 0 mends nothing"
    return ""


def _shown(point: EntryPoint) -> str:
    brought = f" of {point.dist.name}" if point.dist is not None else ""
    return f"{point.group} {point.name}{brought} ({point.value})"
