"""One repair a file, one family a folder; `PLAYBOOKS` is all of them."""

from guardian_agent.playbooks.auto_heal.restart_service import RestartService
from guardian_agent.playbooks.base import Playbook
from guardian_agent.playbooks.network.diagnose_network import DiagnoseNetwork
from guardian_agent.playbooks.network.restart_component import RestartComponent
from guardian_agent.playbooks.path_repair.bounce_link import BounceLink
from guardian_agent.playbooks.path_repair.flush_neighbour import FlushNeighbour
from guardian_agent.playbooks.path_repair.restore_route import RestoreRoute

PLAYBOOKS: tuple[type[Playbook], ...] = (
    RestartComponent,
    DiagnoseNetwork,
    RestartService,
    BounceLink,
    RestoreRoute,
    FlushNeighbour,
)

__all__ = ["PLAYBOOKS", "Playbook"]
