"""What that was known to be good stays known, although it is not seen now?"""

from collections.abc import Iterable

import msgspec

from guardian_agent.host import KnownGood

# What answered once and does not now is more often broken than gone: these only grow by themselves.
ANSWERING = ("upstream", "echoing_gateways", "path_mtus", "names")
LOSABLE = (*ANSWERING, "file_systems")
MOST_UPSTREAM = 16  # names with ever other addresses must not make it grow for ever

Lost = tuple[str, str]  # a field of what is known, and the address, name or mount point that it has no more


def lost(before: KnownGood, seen: KnownGood, fields: Iterable[str] = LOSABLE) -> set[Lost]:
    """What was known and is not seen: addresses and names without an answer, file systems that were writable."""
    found: set[Lost] = set()
    for field in fields:
        old, new = getattr(before, field), getattr(seen, field)
        if field == "file_systems":  # one that is not mounted now is none that cannot be written to
            found |= {(field, mount) for mount, writable in old.items() if writable and new.get(mount) is False}
        else:
            found |= {(field, one) for one in old if one not in new}
    return found


def kept(before: KnownGood, seen: KnownGood, keep: Iterable[Lost]) -> KnownGood:
    """What is seen, with those of the lost that are to `keep`, in an order that does not change by itself."""
    by_field: dict[str, set[str]] = {field: set() for field in LOSABLE}
    for field, one in keep:
        by_field[field].add(one)
    upstream = _grown(before.upstream, seen.upstream, by_field["upstream"])
    path_mtus = {one: before.path_mtus[one] for one in before.path_mtus if one in by_field["path_mtus"]}
    path_mtus |= seen.path_mtus
    return msgspec.structs.replace(
        seen,
        upstream=upstream,
        echoing_gateways=_grown(before.echoing_gateways, seen.echoing_gateways, by_field["echoing_gateways"]),
        gateway_rtt_s=seen.gateway_rtt_s or before.gateway_rtt_s,
        path_mtus={address: mtu for address, mtu in path_mtus.items() if address in upstream},
        names={name: before.names[name] for name in by_field["names"]} | seen.names,
        file_systems=seen.file_systems | dict.fromkeys(by_field["file_systems"], True),
    )


def _grown(before: tuple[str, ...], seen: tuple[str, ...], keep: set[str]) -> tuple[str, ...]:
    silent = [one for one in before if one in keep]
    stay = {*silent[max(0, len(silent) - max(0, MOST_UPSTREAM - len(seen))) :], *seen}
    return (*(one for one in before if one in stay), *(one for one in seen if one not in before))
