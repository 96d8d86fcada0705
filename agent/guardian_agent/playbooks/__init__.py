"""One repair a file, one family a folder; `PLAYBOOKS` is all of them."""

from collections.abc import Mapping

from guardian_agent.config import PlaybookSettings
from guardian_agent.playbooks.auto_heal.restart_service import RestartService
from guardian_agent.playbooks.base import Playbook
from guardian_agent.playbooks.network.clear_port import ClearPort
from guardian_agent.playbooks.network.diagnose_network import DiagnoseNetwork
from guardian_agent.playbooks.network.rebind_port import RebindPort
from guardian_agent.playbooks.network.restart_component import RestartComponent

PLAYBOOKS: tuple[type[Playbook], ...] = (
    RestartComponent,
    ClearPort,
    RebindPort,
    DiagnoseNetwork,
    RestartService,
)

__all__ = ["PLAYBOOKS", "Playbook", "configured"]


def configured(settings: Mapping[str, PlaybookSettings]) -> dict[str, Playbook]:
    """Every playbook by its id, with what `[playbooks.ID]` sets of its own keys."""
    found = {}
    for playbook in PLAYBOOKS:
        own = settings[playbook.playbook_id()].own if playbook.playbook_id() in settings else {}
        found[playbook.playbook_id()] = playbook(**own)
    return found
