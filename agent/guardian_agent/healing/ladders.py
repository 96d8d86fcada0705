"""Which playbooks are tried for an issue type, in which order, and where on the ladder are we?"""

from collections.abc import Callable, Mapping
from typing import ClassVar

import msgspec

from guardian_agent.model import Incident, Stamp

DEFAULT_LADDERS: Mapping[str, tuple[str, ...]] = {
    # The path: back to the last state that was seen good
    "link_down": ("bounce_link",),
    "mtu_changed": ("bounce_link",),
    "address_missing": ("restore_route",),
    "route_missing": ("restore_route",),
    "route_wrong": ("restore_route",),
    "path_mtu": ("restore_route",),
    "neighbour_failed": ("flush_neighbour",),
    "gateway_changed": ("flush_neighbour",),
    "firewall_block": ("restore_firewall",),
    "dns_failure": ("restore_resolver",),
    "dns_wrong": ("restore_resolver",),
    # The host
    "disk_full": ("resource_cleanup",),
    "inode_exhausted": ("resource_cleanup",),
    "cpu_pressure": ("performance_optimization",),
    "memory_pressure": ("performance_optimization",),
    "io_pressure": ("performance_optimization",),
    "high_latency": ("performance_optimization",),
    "port_exhaustion": ("performance_optimization",),
    # A component
    "port_conflict": ("clear_port", "rebind_port"),
    "artifact_corrupt": ("quarantine_artifacts",),
    # Without a release that was seen good, a restart may still help one that crashes now and then.
    "deploy_regressed": ("rollback_deployment", "restart_service", "restart_component"),
    "payload_broken": ("rollback_deployment", "restart_service"),
    "process_crashed": ("restart_component", "rollback_deployment"),
    "service_failed": ("restart_service", "restart_component", "rollback_deployment"),
    # Where it waits for a processor that somebody else has, it would wait again after a restart.
    "service_hung": ("performance_optimization", "restart_service", "restart_component", "rollback_deployment"),
    "port_not_listening": ("restart_component", "rollback_deployment"),
    # Where a packet filter alone can be why, that is firewall_block; here it only might be.
    "connection_refused": ("restart_component", "restore_firewall", "rollback_deployment"),
    "connection_timeout": (
        *("performance_optimization", "restart_component", "restore_firewall", "rollback_deployment"),
    ),
    "http_error": ("restart_service", "restart_component", "rollback_deployment"),
    "check_failed": ("restart_service", "restart_component", "rollback_deployment"),
    "grpc_unhealthy": ("restart_service", "restart_component", "rollback_deployment"),
    "heartbeat_lost": ("restart_kernel", "restart_service", "rollback_deployment"),
    "clock_offset": ("restart_service",),
    "certificate_expiring": ("rotate_secrets",),
    "certificate_wrong": ("rotate_secrets",),
    "secret_expiring": ("rotate_secrets",),
    "tasks_exhausted": ("performance_optimization", "restart_service"),
    "session_dropped": ("restore_firewall", "restart_service", "rollback_deployment"),
}

HEALTHY_AGAIN_S = 600.0  # after so many seconds without the issue, what was tried before is forgotten
BACK_OFF_FACTOR = 2.0
LONGEST_COOLDOWN_S = 3600.0
DAY_S = 86_400.0


class Tried(msgspec.Struct, frozen=True):
    """A playbook was about to change something."""

    playbook: str
    at: Stamp


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a component stands on the ladder of one issue type. Durable: a restart of the agent forgets nothing."""

    memory_kind: ClassVar = "ladder"
    rung: int = 0
    attempts: tuple[Tried, ...] = ()  # executions that changed something within a day, the oldest first
    in_a_row: int = 0  # attempts since it was last healthy
    closed_at: Stamp | None = None

    def at(self, now: Stamp) -> "Progress":
        """This progress as it counts now: health forgets rung and back-off, a day forgets attempts."""
        recent = tuple(attempt for attempt in self.attempts if now.seconds_since(attempt.at) < DAY_S)
        if self.closed_at and now.seconds_since(self.closed_at) >= HEALTHY_AGAIN_S:
            return Progress(attempts=recent)
        return msgspec.structs.replace(self, attempts=recent)

    def attempts_of(self, playbook_id: str) -> int:
        """How many of the attempts were this playbook's."""
        return sum(attempt.playbook == playbook_id for attempt in self.attempts)

    def attempted(self, playbook_id: str, now: Stamp) -> "Progress":
        attempts = (*self.attempts, Tried(playbook_id, now))
        return msgspec.structs.replace(self, attempts=attempts, in_a_row=self.in_a_row + 1, closed_at=None)

    def cooldown_left_s(self, now: Stamp, cooldown_s: float) -> float:
        """Seconds until the next attempt is due: the first waits for nothing, each further one twice as long."""
        if not self.attempts or self.in_a_row == 0:
            return 0.0
        wait_s = min(LONGEST_COOLDOWN_S, cooldown_s * BACK_OFF_FACTOR ** (self.in_a_row - 1))
        return max(0.0, wait_s - now.seconds_since(self.attempts[-1].at))


class LadderMemory:
    """Keeps where every component stands on the ladder of every issue type it had."""

    def __init__(self, remember: Callable[[str, Progress], None]) -> None:
        self._remember = remember
        self._progress: dict[str, Progress] = {}

    def restore(self, progress: dict[str, Progress]) -> None:
        """Takes up what was known before the agent's restart, by TARGET/ISSUE_TYPE."""
        self._progress = dict(progress)

    def of(self, incident: Incident, now: Stamp) -> Progress:
        return self._progress.get(_key(incident), Progress()).at(now)

    def resumed(self, incident: Incident, now: Stamp) -> Progress:
        """The issue is there, again perhaps: from here on it is not health that counts."""
        progress = self.of(incident, now)
        if progress.closed_at:
            progress = msgspec.structs.replace(progress, closed_at=None)
            self._put(_key(incident), progress)
        return progress

    def attempted(self, incident: Incident, playbook_id: str, rung: int, now: Stamp) -> None:
        """Counts an execution that is about to change something."""
        progress = self.of(incident, now).attempted(playbook_id, now)
        self._put(_key(incident), msgspec.structs.replace(progress, rung=rung))

    def on_rung(self, incident: Incident, rung: int, now: Stamp) -> None:
        """The next attempt is to be made on this rung."""
        self._put(_key(incident), msgspec.structs.replace(self.of(incident, now), rung=rung))

    def closed(self, incident: Incident, now: Stamp) -> None:
        """From here on, health counts, for every issue type that the incident went through."""
        for key, progress in list(self._progress.items()):
            if key.startswith(f"{incident.target}/") and progress.closed_at is None:
                self._put(key, msgspec.structs.replace(progress.at(now), closed_at=now))

    def _put(self, key: str, progress: Progress) -> None:
        self._progress[key] = progress
        self._remember(key, progress)


def _key(incident: Incident) -> str:
    return f"{incident.target}/{incident.issue_type}"
