"""Forgets a wrong MAC of the gateway, or pins the right one against an impostor."""

from typing import ClassVar

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import Host, Neighbour, NoNeighboursError
from guardian_agent.host.operations import DeleteNeighbour, SetNeighbour
from guardian_agent.model import Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step

ANSWER_WITHIN_S = 0.5


class FlushNeighbour(Playbook, frozen=True, kw_only=True):
    """Forgets a wrong MAC of the gateway, or pins the good one against a host that answers for it too.

    Only what was seen good is a right MAC. A gateway that answers with another one alone may be a new router, and is
    left to a human.
    """

    heals: ClassVar = ("neighbour_failed", "gateway_changed")
    tier: ClassVar = Tier.ONE_APPROVER

    interfaces: tuple[str, ...] = ()  # whose neighbours may be changed; none: all

    async def plan(self, situation: Situation, host: Host) -> Plan:
        evidence = situation.incident.evidence
        gateway, interface = str(evidence.get("gateway", "")), str(evidence.get("interface", ""))
        if not gateway or not interface:
            raise CannotPlanError("the incident names no gateway")
        if self.interfaces and interface not in self.interfaces:
            raise CannotPlanError(f"playbooks.flush_neighbour.interfaces does not name {interface}")
        if (good := host.known.good.neighbours.get(gateway)) is None:
            raise CannotPlanError(f"the MAC of {gateway} was never seen good on this host")
        entry = await host.netlink.neighbour(gateway, interface)
        answering = await _answering(host, gateway, interface)
        if situation.incident.issue_type == "gateway_changed":
            return _pinned(interface, gateway, good, entry, answering)
        return _forgotten(interface, gateway, good, entry, answering)


def _forgotten(interface: str, gateway: str, good: str, entry: Neighbour | None, answering: list[str]) -> Plan:
    pinned_wrong = entry is not None and entry.state == "permanent" and entry.mac != good
    stuck = entry is not None and entry.state == "failed" and good in answering
    if entry is None or not (pinned_wrong or stuck):
        silent = "" if answering else ": nobody answers for it on the link, which cannot be mended from here"
        raise CannotPlanError(f"the entry of {gateway} is not wrong{silent}")
    return Plan(Step(DeleteNeighbour(interface, gateway), undo=_as_it_was(interface, gateway, entry)))


def _pinned(interface: str, gateway: str, good: str, entry: Neighbour | None, answering: list[str]) -> Plan:
    if good not in answering:
        raise CannotPlanError(
            f"{gateway} does not answer with its good MAC {good} any more: a new router, perhaps; if it is meant,"
            " guardian-agent learn takes it for good"
        )
    if entry is not None and entry.state == "permanent" and entry.mac == good:
        raise CannotPlanError(f"the good MAC of {gateway} is pinned already")
    pin = SetNeighbour(interface, gateway, good, permanent=True)
    return Plan(Step(pin, undo=_as_it_was(interface, gateway, entry)))


def _as_it_was(interface: str, gateway: str, entry: Neighbour | None) -> SetNeighbour | DeleteNeighbour:
    """An entry without a MAC is as good as none: the kernel asks again."""
    if entry is None or entry.mac is None or entry.state in ("failed", "incomplete"):
        return DeleteNeighbour(interface, gateway)
    return SetNeighbour(interface, gateway, entry.mac, permanent=entry.state == "permanent")


async def _answering(host: Host, gateway: str, interface: str) -> list[str]:
    try:
        return await host.packets.owners(gateway, interface, ANSWER_WITHIN_S, own=True)
    except NoNeighboursError as error:
        raise CannotPlanError(f"nobody has to be asked for on {interface}") from error
