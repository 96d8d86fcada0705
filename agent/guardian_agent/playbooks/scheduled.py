"""The contract of a playbook that runs once a day, beside no incident."""

from typing import Annotated, ClassVar

import msgspec

from guardian_agent.model import Tier
from guardian_agent.playbooks.base import Beside, Playbook


class Scheduled(Playbook, frozen=True, kw_only=True):
    """Plans with `situation.checkup` and no incident; what it finds is recorded, and claims no healing."""

    tier: ClassVar = Tier.OBSERVES
    beside: ClassVar = Beside.SCHEDULE

    at: Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "03:30"  # local time
    jitter_s: Annotated[float, msgspec.Meta(ge=0, le=43_200)] = 600.0  # later by so much at most, each host by its name
