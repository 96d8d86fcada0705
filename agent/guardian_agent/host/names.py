"""Which units may be changed, by systemd's own names?"""

import asyncio
from collections.abc import Iterable

from guardian_agent.host import Units

TRIGGERING = (".socket", ".timer", ".path", ".automount")  # stopping one keeps what it starts from ever starting


async def own_names(units: Units, names: Iterable[str]) -> dict[str, str]:
    """systemd's own name of each: `sshd.service` and `ssh.service` may be one. Raises ProbeError."""
    wanted = sorted(set(names))
    return dict(zip(wanted, await asyncio.gather(*map(units.own_name, wanted)), strict=True))


async def free_of(
    units: Units, names: Iterable[str], protected: Iterable[str]
) -> tuple[dict[str, str], frozenset[str]]:
    """Those of the names that are not protected, each with its own name; and all names known of what is protected.

    What starts a protected unit when something comes (a socket, a timer) is not free either. Raises ProbeError.
    """
    names, protected = set(names), set(protected)
    own = await own_names(units, names | protected)
    untouchable = frozenset(protected | {own[name] for name in protected})
    free, kept = {}, set(untouchable)
    for name in sorted(names):
        started = await units.triggers(own[name]) if own[name].endswith(TRIGGERING) else ()
        if untouchable.isdisjoint((name, own[name], *started)):
            free[name] = own[name]
        else:
            kept |= {name, own[name]}
    return free, frozenset(kept)


async def changeable(units: Units, names: Iterable[str], protected: Iterable[str]) -> list[str]:
    """The own names of those units that are not protected, under whichever name. Raises ProbeError."""
    names = set(names)
    if not names:
        return []
    free, _ = await free_of(units, names, protected)
    return sorted(set(free.values()))
