"""Brings the firewall back to what was seen good, by tables."""

import re
from typing import ClassVar

import msgspec

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import Host, nft
from guardian_agent.host.name_files import packages_as_of
from guardian_agent.host.operations import ReplaceTables
from guardian_agent.host.questions import ReadRuleset
from guardian_agent.model import Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step

_BLOCKS = re.compile(r"\b(drop|reject|queue)\b")
_LETS_THROUGH = re.compile(r"\b(accept|dnat|snat|masquerade|redirect|tproxy)\b")


class _Difference(msgspec.Struct, frozen=True):
    """One table, as it was good and as it is: without counters and passing elements; empty where it is not there."""

    key: str
    good: str
    now: str

    @property
    def kind(self) -> str:
        return "missing" if not self.now else "changed" if self.good else "new"

    @property
    def may_block(self) -> bool:
        return bool(_BLOCKS.search(self.now) or _LETS_THROUGH.search(self.good))


class RestoreFirewall(Playbook, frozen=True):
    """Takes away tables of nftables that were not there when all was good, and puts back what is missing or changed.

    Only those that can be what blocks, all in one transaction. Guardian's own and those of iptables are left alone.
    """

    heals: ClassVar = ("firewall_block", "session_dropped", "connection_timeout", "connection_refused")
    tier: ClassVar = Tier.ONE_APPROVER

    diverting: bool = False  # also tables that send packets elsewhere: dnat, masquerade, redirect, queue and the like

    async def plan(self, situation: Situation, host: Host) -> Plan:
        good = host.known.good
        if good.firewall is None:
            raise CannotPlanError("no firewall was ever seen good on this host")
        now = await host.ask(ReadRuleset())
        found = differences(good.firewall, nft.comparable(now))
        if not found:
            raise CannotPlanError("the firewall is as it was seen good")
        if await packages_as_of(host.files) != good.firewall_packages:
            raise CannotPlanError("packages were installed or removed since the firewall was seen good")
        suspects = [one for one in found if one.may_block]
        if not suspects:
            names = ", ".join(f"table {one.key} is {one.kind}" for one in found)
            raise CannotPlanError(f"nothing that differs in the firewall can block anything: {names}")
        left = {one.key: why for one in suspects if (why := self._why_left(one, now.get(one.key, "")))}
        mended = [one for one in suspects if one.key not in left]
        if not mended:
            raise CannotPlanError("; ".join(left.values()))
        step = Step(
            do=ReplaceTables({one.key: one.good for one in mended}),
            undo=ReplaceTables({one.key: now.get(one.key, "") for one in mended}),
        )
        return Plan(step, findings={"tables": {one.key: one.kind for one in found}, "left": left})

    def _why_left(self, one: _Difference, now: str) -> str:
        """Why a table is not touched; empty when it is to be mended."""
        for text in filter(None, (now, one.good)):
            if why := nft.not_mendable(one.key, text):
                return why
            if not self.diverting and (how := nft.diversion(text)):
                return f"table {one.key} sends packets elsewhere ({how}), which {self.playbook_id()} may not put back"
        return ""


def differences(good: dict[str, str], now: dict[str, str]) -> list[_Difference]:
    """The tables that are not as they were good, in the order in which they were, new ones last."""
    pairs = [_Difference(key, good.get(key, ""), now.get(key, "")) for key in dict.fromkeys((*good, *now))]
    return [pair for pair in pairs if pair.good != pair.now]
