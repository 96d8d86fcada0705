"""Rules are tested on a host whose operator lets every playbook act without an approval; that one who does not has
them refused is the policy's own test."""

import pytest

from guardian_agent.model import Tier
from guardian_agent.playbooks import PLAYBOOKS


@pytest.fixture(autouse=True)
def lowered_tiers(monkeypatch: pytest.MonkeyPatch) -> None:
    for playbook in PLAYBOOKS:
        if playbook.tier > Tier.AUTOMATIC:
            monkeypatch.setattr(playbook, "tier", Tier.AUTOMATIC)
