"""One repair a file, one family a folder; `PLAYBOOKS` is all of them."""

from guardian_agent.playbooks.auto_heal.performance_optimization import PerformanceOptimization
from guardian_agent.playbooks.auto_heal.quarantine_artifacts import QuarantineArtifacts
from guardian_agent.playbooks.auto_heal.resource_cleanup import ResourceCleanup
from guardian_agent.playbooks.auto_heal.restart_kernel import RestartKernel
from guardian_agent.playbooks.auto_heal.restart_service import RestartService
from guardian_agent.playbooks.auto_heal.rollback_deployment import RollbackDeployment
from guardian_agent.playbooks.auto_heal.rotate_secrets import RotateSecrets
from guardian_agent.playbooks.base import Playbook
from guardian_agent.playbooks.network.diagnose_network import DiagnoseNetwork
from guardian_agent.playbooks.network.restart_component import RestartComponent
from guardian_agent.playbooks.path_repair.restore_resolver import RestoreResolver

PLAYBOOKS: tuple[type[Playbook], ...] = (
    RestartComponent,
    DiagnoseNetwork,
    RestartService,
    RestartKernel,
    RotateSecrets,
    RollbackDeployment,
    QuarantineArtifacts,
    RestoreResolver,
    ResourceCleanup,
    PerformanceOptimization,
)

__all__ = ["PLAYBOOKS", "Playbook"]
