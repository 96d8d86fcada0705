"""What is looked at on this host: which probes, on which targets, how often?"""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from guardian_agent.config import ProbeSettings, parse_endpoint
from guardian_agent.detection.scheduler import Watch
from guardian_agent.model import Component, Health, Schedule
from guardian_agent.probes import PROBES, Probe
from guardian_agent.probes.l4_connect import L4Connect
from guardian_agent.probes.l7_command import L7Command
from guardian_agent.probes.l7_grpc import L7Grpc
from guardian_agent.probes.l7_http import L7Http

OF_HEALTH = (L7Http, L7Grpc, L7Command)  # whose schedule a component's `health` may set


def watches_of(
    components: Iterable[Component],
    settings: Mapping[str, ProbeSettings],
    *,
    probes: Sequence[type[Probe]] = PROBES,
    host_probes: bool = True,
) -> list[Watch]:
    """Every probe of the host itself, every one of every component that it can ask about, and a TCP connection to every
    remote dependency."""
    watches = [
        _watch(probe, probe_class.host_target(), schedule, quiet_s=0.0)
        for probe_class in (probes if host_probes else ())
        if (schedule := _schedule(probe_class, settings, None)).enabled
        and (probe := _with_options(probe_class.for_host(schedule), settings)) is not None
    ]
    remote: set[str] = set()
    for component in components:
        for probe_class in probes:
            schedule = _schedule(probe_class, settings, component.health)
            probe = _with_options(probe_class.for_component(component, schedule), settings)
            if probe is not None and schedule.enabled:
                watches.append(_watch(probe, component.name, schedule, component.start_grace_s))
        remote.update(needed for needed in component.depends_on if needed.startswith("tcp:"))
    schedule = _schedule(L4Connect, settings, None)
    for target in sorted(remote) if schedule.enabled else ():
        probe = L4Connect.for_endpoint(parse_endpoint(target), schedule)
        watches.append(_watch(probe, target, schedule, quiet_s=0.0))
    return watches


def _with_options(probe: Probe | None, settings: Mapping[str, ProbeSettings]) -> Probe | None:
    """The probe with what `[probes.ID]` sets of its own fields."""
    own = settings.get(probe.probe_id(), ProbeSettings()).own if probe is not None else {}
    return msgspec.structs.replace(probe, **own) if probe is not None and own else probe


def memory_key(watch: Watch) -> str:
    """By which it is remembered that the watch was good: one that asks something else is another."""
    asks = hashlib.sha256(msgspec.json.encode(watch.probe)).hexdigest()[:8]
    return f"{watch.key}/{asks}"


def _schedule(probe_class: type[Probe], settings: Mapping[str, ProbeSettings], health: Health | None) -> Schedule:
    """The probe's own schedule, under the one of `[probes.ID]`, under the one of the component's `health`."""
    schedule = settings.get(probe_class.probe_id(), ProbeSettings()).over(probe_class.schedule)
    if health is None or not issubclass(probe_class, OF_HEALTH):
        return schedule
    given = {name: getattr(health, name, None) for name in Schedule.__struct_fields__}
    return msgspec.structs.replace(schedule, **{name: value for name, value in given.items() if value is not None})


def _watch(probe: Probe, target: str, schedule: Schedule, quiet_s: float) -> Watch:
    return Watch(probe, target, schedule, quiet_until_s=asyncio.get_running_loop().time() + quiet_s)
