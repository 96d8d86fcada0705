"""One repair a file, one family a folder; `PLAYBOOKS` is all of them."""

from guardian_agent.playbooks.auto_heal.performance_optimization import PerformanceOptimization
from guardian_agent.playbooks.auto_heal.quarantine_artifacts import QuarantineArtifacts
from guardian_agent.playbooks.auto_heal.resource_cleanup import ResourceCleanup
from guardian_agent.playbooks.auto_heal.restart_service import RestartService
from guardian_agent.playbooks.auto_heal.rollback_deployment import RollbackDeployment
from guardian_agent.playbooks.base import Playbook
from guardian_agent.playbooks.network.clear_port import ClearPort
from guardian_agent.playbooks.network.diagnose_network import DiagnoseNetwork
from guardian_agent.playbooks.network.rebind_port import RebindPort
from guardian_agent.playbooks.network.restart_component import RestartComponent
from guardian_agent.playbooks.path_repair.restore_resolver import RestoreResolver

PLAYBOOKS: tuple[type[Playbook], ...] = (
    RestartComponent,
    ClearPort,
    RebindPort,
    DiagnoseNetwork,
    RestartService,
    RollbackDeployment,
    QuarantineArtifacts,
    RestoreResolver,
    ResourceCleanup,
    PerformanceOptimization,
)

__all__ = ["PLAYBOOKS", "Playbook"]
