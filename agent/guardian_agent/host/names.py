"""Which units may be changed, by systemd's own names?"""

import asyncio
from collections.abc import Iterable

from guardian_agent.host import Units


async def own_names(units: Units, names: Iterable[str]) -> dict[str, str]:
    """systemd's own name of each: `sshd.service` and `ssh.service` may be one. Raises ProbeError."""
    wanted = sorted(set(names))
    return dict(zip(wanted, await asyncio.gather(*map(units.own_name, wanted)), strict=True))


async def changeable(units: Units, names: Iterable[str], protected: Iterable[str]) -> list[str]:
    """The own names of those units that are not protected, under whichever name. Raises ProbeError."""
    names, protected = set(names), set(protected)
    if not names:
        return []
    own = await own_names(units, names | protected)
    untouchable = protected | {own[name] for name in protected}
    return sorted({own[name] for name in names if name not in untouchable and own[name] not in untouchable})
