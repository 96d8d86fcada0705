"""Which firewall is taken as good?"""

from typing import Any

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, KnownGood, nft
from guardian_agent.host.name_files import packages_as_of
from guardian_agent.host.questions import ReadRuleset
from guardian_agent.model import Stamp

# A rule that hurts may be felt only late, by the next backup or a session that ends: it must be good for so long.
SETTLES_S = 300.0
FIELDS = ("firewall", "firewall_packages")


async def of_firewall(host: Host) -> dict[str, Any]:
    """The fields of what is known good that are about the firewall; none where it cannot be told, as on a host without
    nft, or by an agent that is not root and has no executor."""
    try:
        tables = await host.ask(ReadRuleset())
        return {"firewall": nft.comparable(tables), "firewall_packages": await packages_as_of(host.files)}
    except ProbeError:
        return {}


class Settling:
    """Holds a changed firewall back until it has stood for a while in which all was well."""

    def __init__(self) -> None:
        self._candidate: tuple[object, ...] = ()
        self._since: Stamp | None = None

    def begin_again(self) -> None:
        """Something was not well."""
        self._since = None

    def of(self, before: KnownGood, seen: KnownGood, now: Stamp, *, well: bool) -> KnownGood:
        """What is seen, with the firewall as it was known before, unless that may be taken as good by now: the first
        one at once, another after five minutes. Never one under which something is not `well`."""
        found = tuple(getattr(seen, field) for field in FIELDS)
        if found == tuple(getattr(before, field) for field in FIELDS):
            self._since = None
            return seen
        if not well:
            self._since = None
            return without_its(seen, before)
        if self._since is None or found != self._candidate:
            self._candidate, self._since = found, now
        settled = before.firewall is None or now.seconds_since(self._since) >= SETTLES_S
        return seen if settled else without_its(seen, before)


def without_its(seen: KnownGood, before: KnownGood) -> KnownGood:
    """What is seen, with the firewall of before."""
    return msgspec.structs.replace(seen, **{field: getattr(before, field) for field in FIELDS})
