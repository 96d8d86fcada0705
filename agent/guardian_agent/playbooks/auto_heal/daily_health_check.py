"""Looks once a day at all of the host, at what would be done about it, and at what Guardian itself rests on."""

import datetime
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec

from guardian_agent.errors import CannotPlanError, ProbeError
from guardian_agent.host import Host
from guardian_agent.playbooks import picture
from guardian_agent.playbooks.base import Plan, Situation
from guardian_agent.playbooks.bundle import bounded, section
from guardian_agent.playbooks.checkup import Checked, Preview
from guardian_agent.playbooks.redaction import redact_lines
from guardian_agent.playbooks.scheduled import Scheduled

DAY_S = 86_400.0
MOST_PROBLEMS = 100


class DailyHealthCheck(Scheduled, frozen=True):
    """Looks with every probe, asks every playbook what it would do, and reports what is wrong; changes nothing.

    It is about no incident, heals nothing, and counts for no recovery.
    """

    observes_within_s: ClassVar = 300.0

    max_bytes: Annotated[int, msgspec.Meta(ge=4096, le=262_144)] = 65_536  # of the report, as JSON

    async def plan(self, situation: Situation, host: Host) -> Plan:
        if (checkup := situation.checkup) is None:
            raise CannotPlanError("it is about the whole host, and about no incident")
        looks = await checkup.looks()
        failed, unread = await _failed_units(host)
        previews, integrity = await checkup.previews(), dict(await checkup.integrity())
        problems = [*_bad(looks), *(f"{unit} has failed" for unit in failed)]
        problems += [f"{what}: {wrong}" for what, wrong in integrity.items() if wrong]
        age = _known_good(host)
        problems += unread + ([age] if host.known.good.learned_at is None else [])
        problems = redact_lines(problems)  # before the first of them becomes a sentence
        head: dict[str, Any] = {
            "sentence": _sentence(looks, problems),
            "problems": problems[:MOST_PROBLEMS],
            "looks": {"good": 0, "bad": 0, "unknown": 0} | dict(Counter(map(_word, looks))),
            "known_good": age,
        }
        sections = [
            await section("looks", [_line(look) for look in looks if look.ok is not True]),
            await section("certificates", _certificates(looks)),
            await section("failed units", failed),
            await section("would be done", [_preview(one) for one in previews if not one.refusal]),
            await section("refused", [_preview(one) for one in previews if one.refusal]),
            await section("disks", await _disks(host)),
            await section("integrity", [f"{what}: {wrong or 'good'}" for what, wrong in integrity.items()]),
        ]
        return Plan(findings=bounded(head, sections, self.max_bytes))


async def _failed_units(host: Host) -> tuple[list[str], list[str]]:
    try:
        return await host.units.failed(), []
    except ProbeError as error:
        return [], [f"which units have failed cannot be told: {error}"]


async def _disks(host: Host) -> list[str]:
    try:
        return await picture.disks(host)
    except ProbeError as error:
        return [str(error)]


def _bad(looks: Sequence[Checked]) -> list[str]:
    return [_line(look) for look in looks if look.ok is False and look.counts]


def _certificates(looks: Sequence[Checked]) -> list[str]:
    return [
        f"{look.target}: {look.evidence['days_left']:g} days left, {look.evidence.get('file', '')}"
        for look in looks
        if "days_left" in look.evidence
    ]


def _word(look: Checked) -> str:
    return {True: "good", False: "bad", None: "unknown"}[look.ok]


def _line(look: Checked) -> str:
    what = look.issue_type or "cannot tell"
    never = "" if look.counts or look.ok is None else " (never good on this host)"
    return f"{look.target}: {what}, seen by {look.probe}{never}: {look.finding}"


def _preview(one: Preview) -> str:
    return f"{one.playbook} for {one.target}, if {one.issue_type}: {one.refusal or '; '.join(one.steps) or 'nothing'}"


def _known_good(host: Host) -> str:
    learned_at = host.known.good.learned_at
    if learned_at is None:
        return "nothing is known yet of what this host is like when all is good"
    days = host.clock.now().seconds_since(learned_at) / DAY_S
    when = datetime.datetime.fromtimestamp(learned_at.wall_ns / 1e9, datetime.UTC)
    return f"what is good was last learned {when:%Y-%m-%d %H:%M} UTC, {days:.1f} days ago"


def _sentence(looks: Sequence[Checked], problems: Sequence[str]) -> str:
    good = sum(look.ok is True for look in looks)
    told = f"{good} of {len(looks)} looks are good"
    if not problems:
        return f"No problems: {told}."
    return f"{len(problems)} problem{'s' * (len(problems) != 1)}: {problems[0]}; {told}."
