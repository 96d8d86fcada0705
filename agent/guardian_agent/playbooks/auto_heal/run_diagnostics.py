"""Collects what somebody who must look would ask for first, where no playbook helps."""

import asyncio
from collections.abc import Awaitable
from typing import Annotated, ClassVar

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.host.questions import Question, ReadJournal, ReadKernelMessages
from guardian_agent.model import Tier
from guardian_agent.playbooks import picture
from guardian_agent.playbooks.base import Beside, Plan, Playbook, Situation
from guardian_agent.playbooks.bundle import Section, bounded, section
from guardian_agent.playbooks.redaction import redact

SUBJECT_LIMIT_S = 6.0  # one that does not answer keeps no other from being told
MOST_JOURNALS = 6


class RunDiagnostics(Playbook, frozen=True):
    """Puts together a bundle of what the host looks like, bounded and without secrets; changes nothing.

    Units, journals, sockets, processes, pressure, disks, network and the kernel's messages, as evidence of the
    execution. What cannot be read is named in it.
    """

    tier: ClassVar = Tier.OBSERVES
    beside: ClassVar = Beside.UNHEALED

    max_bytes: Annotated[int, msgspec.Meta(ge=4096, le=262_144)] = 65_536  # of the bundle, as JSON
    journal_lines: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100  # of each unit, and of the kernel

    async def plan(self, situation: Situation, host: Host) -> Plan:
        asked: dict[str, Awaitable[list[str]]] = {
            "looks": picture.looks(situation),
            "units": picture.units(situation, host),
            "network": picture.network(host),
            "sockets": picture.sockets(host),
            "processes": picture.processes(host),
            "pressure": picture.pressure(host),
            "disks": picture.disks(host),
            "journal kernel": _read(host, ReadKernelMessages(self.journal_lines)),
        }
        for unit in await self._units(situation, host):
            asked[f"journal {unit}"] = _read(host, ReadJournal(unit, self.journal_lines))
        answers = await asyncio.gather(*(_within_limits(lines) for lines in asked.values()))
        told = [
            await section(name, lines, newest_last=name.startswith("journal"))
            for name, lines in zip(asked, answers, strict=True)
            if isinstance(lines, list)
        ]
        unread = {name: redact(why) for name, why in zip(asked, answers, strict=True) if isinstance(why, str)}
        return Plan(findings=self._findings(situation, told, unread))

    def _findings(self, situation: Situation, told: list[Section], unread: dict[str, str]) -> dict[str, object]:
        lines = sum(len(one.lines) for one in told)
        lacking = f"; {len(unread)} could not be read ({', '.join(unread)})" if unread else ""
        head: dict[str, object] = {
            "sentence": f"A picture of the host: {lines} lines about {len(told)} subjects{lacking}.",
            "issue_type": situation.incident.issue_type,
            "owner_probe": situation.incident.owner_probe,
        }
        return bounded(head | ({"not_read": unread} if unread else {}), told, self.max_bytes)

    async def _units(self, situation: Situation, host: Host) -> list[str]:
        wanted = picture.units_of(situation.component, situation.components)
        try:
            async with asyncio.timeout(SUBJECT_LIMIT_S):
                wanted += await host.units.failed()
        except (ProbeError, TimeoutError):
            pass  # "units" tells why
        return list(dict.fromkeys(wanted))[:MOST_JOURNALS]


async def _read(host: Host, question: Question[tuple[str, ...]]) -> list[str]:
    lines: tuple[str, ...] = await host.ask(question)
    return list(lines)


async def _within_limits(lines: Awaitable[list[str]]) -> list[str] | str:
    """The lines, or why they could not be read."""
    try:
        async with asyncio.timeout(SUBJECT_LIMIT_S):
            return await lines
    except ProbeError as error:
        return str(error)
    except TimeoutError:
        return f"not told within {SUBJECT_LIMIT_S:g} s"
