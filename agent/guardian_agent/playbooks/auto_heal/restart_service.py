"""Restarts a failed, hung or misbehaving systemd service: drained first, killed first when it hangs."""

from typing import ClassVar

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import Host
from guardian_agent.model import Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation
from guardian_agent.playbooks.dependency_order import insist_on_dependencies
from guardian_agent.playbooks.unit_restart import is_deaf, plan_unit_restart


class RestartService(Playbook, frozen=True):
    """Starts a service that is down, or restarts one that is up and does not serve.

    What it depends on comes first. Units that require it are restarted with it by systemd; components that suffer from
    it are left alone, since they recover by themselves when it is back, or have an incident of their own.
    """

    heals: ClassVar = (
        *("service_failed", "service_hung", "http_error", "session_dropped", "check_failed", "grpc_unhealthy"),
        *("heartbeat_lost", "tasks_exhausted", "deploy_regressed", "payload_broken", "clock_offset"),
    )
    tier: ClassVar = Tier.AUTOMATIC

    async def plan(self, situation: Situation, host: Host) -> Plan:
        component = situation.workload()
        if component.unit is None:
            raise CannotPlanError(f"{component.name} is not a systemd unit")
        await insist_on_dependencies(situation, host)
        return await plan_unit_restart(
            host, component.unit, attempts=situation.attempts, kill=is_deaf(situation), drain=component.drain
        )
