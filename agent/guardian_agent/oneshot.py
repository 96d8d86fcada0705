"""What can be asked of this host without a daemon: look once with every probe, show what a playbook would do."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from guardian_agent.checkup import WholeHost
from guardian_agent.config import AgentConfig, ProbeSettings
from guardian_agent.console import choose
from guardian_agent.custom.catalogue import Catalogue
from guardian_agent.detection.looking import Look, look_once
from guardian_agent.detection.ownership import owner_of
from guardian_agent.detection.scheduler import Watch
from guardian_agent.detection.watches import watches_of
from guardian_agent.diagnosis import Answer
from guardian_agent.errors import CannotPlanError, ProbeError, UsageError
from guardian_agent.healing.ladders import DEFAULT_LADDERS
from guardian_agent.host import Host
from guardian_agent.model import FROM_BELOW, Incident, uuid7
from guardian_agent.playbooks import Playbook
from guardian_agent.playbooks.base import Seen, Situation
from guardian_agent.probes import PROBES, Probe
from guardian_agent.probes.base import is_host_target

OURS = Catalogue()
LONGEST_PAUSE_S = 1.0  # between two looks of one that looks bad; somebody waits


class OnceLooked:
    """The looks made for one question, as a playbook's plan may read them."""

    def __init__(self, host: Host, watches: Iterable[Watch]) -> None:
        self._host = host
        self._watches = {watch.probe_id: watch for watch in watches}

    async def look(self, probe_id: str) -> Look:
        watch = self._watches[probe_id]
        watch.last_look = await look_once(self._host, watch.probe, watch.schedule.timeout_s)
        return watch.last_look

    def looks(self) -> dict[str, Seen]:
        return {probe_id: watch.last_look for probe_id, watch in self._watches.items() if watch.last_look}

    def rise(self, probe_id: str) -> int:
        return self._watches[probe_id].schedule.rise

    def confirm_interval_s(self, probe_id: str) -> float:
        return self._watches[probe_id].confirm_interval_s


async def probe(
    config: AgentConfig,
    host: Host,
    only: str | None = None,
    *,
    probes: Sequence[type[Probe]] = PROBES,
    ever_good: Collection[str] | None = None,
) -> list[tuple[Probe, Answer]]:
    """Looks with every probe (or with `only` that one), all at the same time; lowest layer first, what the host itself
    is asked before the components. What looks bad is looked at again, as often as the agent would.

    `ever_good`: the probes that the running agent has seen good on this host, as PROBE/TARGET; None: nobody knows.
    """
    watches = [
        w
        for w in watches_of(config.components, config.probes, probes=probes, host_probes=config.host_probes)
        if only is None or w.probe_id == only
    ]
    looks = await asyncio.gather(*(_look_until_sure(host, watch) for watch in watches))
    answers = [
        msgspec.structs.replace(_answer(watch, look), counts=ever_good is None or watch.key in ever_good)
        for watch, look in zip(watches, looks, strict=True)
    ]
    pairs = [(watch.probe, answer) for watch, answer in zip(watches, answers, strict=True)]
    return sorted(
        pairs,
        key=lambda pair: (
            not is_host_target(pair[1].target),
            pair[1].target if not is_host_target(pair[1].target) else "",
            FROM_BELOW.index(pair[0].layer),
        ),
    )


def why_nothing(config: AgentConfig, probe: type[Probe] | None) -> str:
    """Why there is nothing that the probe could look at here, or any probe."""
    if probe is None:
        where = "" if config.host_probes else ", and host_probes = false leaves out the host itself"
        return f"there is nothing to look at: no component is configured{where}"
    id_ = probe.probe_id()
    schedule = config.probes.get(id_, ProbeSettings()).over(probe.schedule)
    if not schedule.enabled:
        reason = f"[probes.{id_}] says enabled = false"
    elif probe.for_host(schedule) is not None:
        reason = "it asks about the host itself, which host_probes = false leaves out"
    else:
        reason = "no component declares what it asks about" if config.components else "no component is configured"
    return f"{id_} has nothing to look at: {reason}"


async def _look_until_sure(host: Host, watch: Watch) -> Look:
    look = await look_once(host, watch.probe, watch.schedule.timeout_s)
    for _ in range(watch.schedule.fall - 1):
        if look.ok is not False:
            break
        await asyncio.sleep(min(watch.confirm_interval_s, LONGEST_PAUSE_S))
        look = await look_once(host, watch.probe, watch.schedule.timeout_s)
    return look


async def dry_run(
    config: AgentConfig,
    host: Host,
    playbook: Playbook,
    target: str,
    issue_type: str | None,
    catalogue: Catalogue = OURS,
) -> dict[str, Any]:
    """What a playbook would do for a component, or a part of the host, if it had this issue: steps, or findings.

    Raises:
        CannotPlanError: it is no remedy for what it finds.
    """
    component = next((one for one in config.components if one.name == target), None)
    every = watches_of(config.components, config.probes, probes=catalogue.probes, host_probes=config.host_probes)
    watches = [watch for watch in every if watch.target == target]
    if not watches:
        raise CannotPlanError(f"{target} has no probe that is enabled: nothing could tell what is wrong with it")
    looked = OnceLooked(host, watches)
    await asyncio.gather(*(looked.look(watch.probe_id) for watch in watches))
    seen = [_answer(watch, watch.last_look) for watch in watches if watch.last_look]
    bad_types = {answer: answer.issue_type for answer in seen if answer.ok is False}
    bad = owner_of(bad_types) if bad_types else None
    owner = bad.probe if bad else watches[0].probe_id
    supposed = issue_type or (bad.issue_type if bad else next(iter(playbook.heals), ""))
    if not _is_tried(config, playbook, supposed, catalogue):
        why = f"{target} has {supposed}, which it does not heal" if not issue_type else f"it does not heal {supposed}"
        raise CannotPlanError(f"{why}; it heals: {', '.join(playbook.heals)}")
    last = looked.looks()[owner].reading
    now = host.clock.now()
    incident = Incident(
        incident_id=uuid7(now.wall_ns),
        target=target,
        issue_type=supposed,
        layer=watches[0].probe.layer,
        owner_probe=owner,
        first_bad_at=now,
        detected_at=now,
        evidence=last.evidence if last is not None else {},
    )
    situation = Situation(
        incident=incident,
        component=component,
        looker=looked,
        components=config.components,
        protected=frozenset(config.protected),
    )
    try:
        plan = await playbook.plan(situation, host)
    except ProbeError as error:
        raise CannotPlanError(str(error)) from error
    steps = [step.as_record() for step in plan.steps]
    return {
        "playbook": playbook.playbook_id(),
        "target": target,
        "issue_type": incident.issue_type,
        "steps": [{"do": step.describe, "undo": step.undo_describe or None} for step in steps],
        "findings": plan.findings,
        "reason": "",
    }


def _is_tried(config: AgentConfig, playbook: Playbook, issue_type: str, catalogue: Catalogue) -> bool:
    """Whether the agent could ever try the playbook for such an issue; one that only observes is for any."""
    ladders = {**catalogue.ladders(DEFAULT_LADDERS), **config.ladders}
    tried = playbook.playbook_id() in ladders.get(issue_type, ())
    return tried or issue_type in playbook.heals or not playbook.heals


async def check_up(
    config: AgentConfig, host: Host, playbook: Playbook, catalogue: Catalogue, *, ever_good: Collection[str] | None
) -> dict[str, Any]:
    """What a playbook finds that is about the whole host, without a daemon: nothing is recorded."""
    watches = watches_of(config.components, config.probes, probes=catalogue.probes, host_probes=config.host_probes)

    async def look(watch: Watch) -> Look:
        watch.last_look = await _look_until_sure(host, watch)
        return watch.last_look

    async def nothing_kept() -> dict[str, str]:
        return {}

    whole = WholeHost(
        host,
        components=config.components,
        playbooks=catalogue.configured(config.playbooks),
        watches=watches,
        look=look,
        ever_good=lambda watch: ever_good is None or watch.key in ever_good,
        integrity=nothing_kept,
        protected=frozenset(config.protected),
    )
    plan = await playbook.plan(whole.situation(), host)
    return plan.findings


async def choose_target(
    config: AgentConfig, host: Host, name: str | None, playbook: Playbook, probes: Sequence[type[Probe]] = PROBES
) -> str:
    """The component, or the part of the host, of that name; without one, the first that looks bad in a way that the
    playbook heals, else the first component that looks bad, else the first component.

    Raises:
        UsageError: there is none of that name.
        CannotPlanError: there is none at all.
    """
    components = [one.name for one in config.components]
    if name is not None:
        watches = watches_of(config.components, config.probes, probes=probes)
        every = dict.fromkeys([*components, *(watch.target for watch in watches)])
        asked = [target for target in every if config.host_probes or not is_host_target(target)]
        if name in every and name not in asked:
            raise UsageError(f"{name} is a part of the host itself, which host_probes = false leaves out")
        return choose("component", name, asked)
    answers = [answer for _, answer in await probe(config, host, probes=probes)]
    targets = list(dict.fromkeys([*components, *(answer.target for answer in answers)]))
    if not targets:
        raise CannotPlanError("no component is configured, and the host is not looked at")
    bad = [answer for answer in answers if answer.ok is False]
    healed = [answer.target for answer in bad if answer.issue_type in playbook.heals]
    return [*healed, *(answer.target for answer in bad if answer.target in components), *targets][0]


def _answer(watch: Watch, look: Look) -> Answer:
    reading = look.reading
    issue = (reading.issue_type or watch.probe.issue_types[0]) if reading and not reading.ok else ""
    seen = reading.evidence.items() if reading else ()
    finding = ", ".join(f"{key} {value}" for key, value in seen if value not in ("", None)) or look.unknown
    return Answer(
        probe=watch.probe_id,
        target=watch.target,
        layer=watch.probe.layer.name.lower(),
        ok=look.ok,
        issue_type=issue,
        finding=finding,
        cannot=look.cannot,
    )
