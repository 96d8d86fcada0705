"""Which firewall is taken as good?"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, KnownGood, nft
from guardian_agent.host.questions import ReadRuleset
from guardian_agent.model import Stamp

# A rule that hurts may be felt only late, by the next backup or a session that ends: it must be good for so long.
SETTLES_S = 300.0
PACKAGES = ("/var/lib/dpkg/status", "/var/lib/rpm/rpmdb.sqlite", "/lib/apk/db/installed")  # dpkg(1), rpm(8), apk(8)
FIELDS = ("firewall", "packages_changed")


async def of_firewall(host: Host) -> dict[str, Any]:
    """The fields of what is known good that are about the firewall; none where it cannot be told, as on a host without
    nft, or by an agent that is not root and has no executor."""
    try:
        tables = await host.ask(ReadRuleset())
        return {"firewall": comparable(tables), "packages_changed": await packages_changed(host)}
    except ProbeError:
        return {}


def comparable(tables: dict[str, str]) -> dict[str, str]:
    """Tables without what changes by itself, and without Guardian's own."""
    return {key: nft.settled(text) for key, text in tables.items() if not nft.is_ours(key)}


async def packages_changed(host: Host) -> str:
    """When packages were last installed, removed or upgraded on this host, in UTC; empty where no record tells."""
    for path in PACKAGES:
        if (state := await host.files.state(path)) is not None:
            return f"{datetime.fromtimestamp(state.modified_wall_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S.%f}Z"
    return ""


class Settling:
    """Holds a changed firewall back until it has stood for a while in which all was well."""

    def __init__(self) -> None:
        self._candidate: tuple[object, ...] = ()
        self._since: Stamp | None = None

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
