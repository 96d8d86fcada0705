"""How are playbooks, and what they have found, shown to people?"""

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from guardian_agent.config import AgentConfig, PlaybookSettings
from guardian_agent.custom.catalogue import Catalogue

HEADING = ("playbook", "family", "tier", "enabled", "runs", "successes", "failures", "last run", "heals")


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One playbook as it stands on this host; numbers are None where no agent tells."""

    id: str
    family: str
    summary: str
    tier: int  # in force
    enabled: bool
    heals: tuple[str, ...]
    beside: str  # what one of tier 0 runs beside; empty for others
    executions: int | None = None
    successes: int | None = None
    failures: int | None = None
    last_run_at: str | None = None  # RFC 3339, UTC
    disabled: str = ""  # why it is not run on this host any more, until a reload


def playbooks_shown(catalogue: Catalogue, config: AgentConfig, status: Mapping[str, Any] | None) -> list[Shown]:
    """All of them; `status` is what the running agent says of itself, None where none runs."""
    found = []
    for playbook in catalogue.playbooks:
        key = playbook.playbook_id()
        settings = config.playbooks.get(key, PlaybookSettings())
        counted = (status["playbooks"].get(key, {}) if status else None) or {}
        disabled = status["disabled_playbooks"] if status else {}
        last_ns = counted.get("last_run_wall_ns", 0)
        found.append(
            Shown(
                id=key,
                family=playbook.family(),
                summary=playbook.summary(),
                tier=int(playbook.tier if settings.tier is None else settings.tier),
                enabled=settings.enabled is not False,
                heals=playbook.heals,
                beside=str(playbook.beside) if not playbook.heals else "",
                executions=counted.get("executions", 0) if status else None,
                successes=counted.get("successes", 0) if status else None,
                failures=counted.get("failures", 0) if status else None,
                last_run_at=_time(last_ns) if last_ns else None,
                disabled=disabled.get(key, ""),
            )
        )
    return found


def rows(playbooks: Iterable[Shown]) -> list[tuple[str, ...]]:
    """The rows of a table under HEADING."""
    return [
        (
            one.id,
            one.family,
            str(one.tier),
            "yes" if one.enabled else "no",
            *("-" if count is None else str(count) for count in (one.executions, one.successes, one.failures)),
            one.last_run_at or "-",
            ", ".join(one.heals) or f"beside {one.beside}",
        )
        for one in playbooks
    ]


def report_lines(findings: Mapping[str, Any]) -> list[str]:
    """What a playbook has found, for people: its sentence, its problems, and its sections."""
    lines = [str(findings["sentence"])] if "sentence" in findings else []
    lines += [f"  problem: {problem}" for problem in findings.get("problems", ())]
    for name, value in findings.items():
        if name not in ("sentence", "problems", "sections", "cut", "not_read"):
            lines.append(f"{name}: {_plain(value)}")
    for name, told in findings.get("sections", {}).items():
        lines += [f"{name}:", *(f"  {line}" for line in told)] if told else []
    lines += [f"{name}: {said}" for name, said in findings.get("cut", {}).items()]
    return lines + [f"{name}: could not be read: {why}" for name, why in findings.get("not_read", {}).items()]


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
    if isinstance(value, list):
        return "; ".join(map(_plain, value))
    return str(value)


def _time(wall_ns: int) -> str:
    return datetime.datetime.fromtimestamp(wall_ns / 1e9, datetime.UTC).isoformat(timespec="seconds")
