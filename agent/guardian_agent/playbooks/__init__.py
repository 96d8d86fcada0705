"""One repair a file, one family a folder; `PLAYBOOKS` is all of them."""

from guardian_agent.playbooks.auto_heal.daily_health_check import DailyHealthCheck
from guardian_agent.playbooks.auto_heal.performance_optimization import PerformanceOptimization
from guardian_agent.playbooks.auto_heal.quarantine_artifacts import QuarantineArtifacts
from guardian_agent.playbooks.auto_heal.resource_cleanup import ResourceCleanup
from guardian_agent.playbooks.auto_heal.restart_kernel import RestartKernel
from guardian_agent.playbooks.auto_heal.restart_service import RestartService
from guardian_agent.playbooks.auto_heal.rollback_deployment import RollbackDeployment
from guardian_agent.playbooks.auto_heal.rotate_secrets import RotateSecrets
from guardian_agent.playbooks.auto_heal.run_diagnostics import RunDiagnostics
from guardian_agent.playbooks.base import Playbook
from guardian_agent.playbooks.network.clear_port import ClearPort
from guardian_agent.playbooks.network.diagnose_network import DiagnoseNetwork
from guardian_agent.playbooks.network.rebind_port import RebindPort
from guardian_agent.playbooks.network.restart_component import RestartComponent
from guardian_agent.playbooks.path_repair.bounce_link import BounceLink
from guardian_agent.playbooks.path_repair.flush_neighbour import FlushNeighbour
from guardian_agent.playbooks.path_repair.restore_firewall import RestoreFirewall
from guardian_agent.playbooks.path_repair.restore_resolver import RestoreResolver
from guardian_agent.playbooks.path_repair.restore_route import RestoreRoute

PLAYBOOKS: tuple[type[Playbook], ...] = (
    RestartComponent,
    ClearPort,
    RebindPort,
    DiagnoseNetwork,
    RestartService,
    RunDiagnostics,
    DailyHealthCheck,
    RollbackDeployment,
    QuarantineArtifacts,
    RestoreFirewall,
    RestoreResolver,
    ResourceCleanup,
    PerformanceOptimization,
    RestartKernel,
    RotateSecrets,
    BounceLink,
    RestoreRoute,
    FlushNeighbour,
)

__all__ = ["PLAYBOOKS", "Playbook"]
