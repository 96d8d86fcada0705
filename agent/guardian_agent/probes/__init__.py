"""One question a file; `PROBES` is all of them, lowest layer first."""

from guardian_agent.probes.base import Probe
from guardian_agent.probes.host_artifact import HostArtifact
from guardian_agent.probes.host_clock import HostClock
from guardian_agent.probes.host_cpu import HostCpu
from guardian_agent.probes.host_disk import HostDisk
from guardian_agent.probes.host_heartbeat import HostHeartbeat
from guardian_agent.probes.host_io import HostIo
from guardian_agent.probes.host_memory import HostMemory
from guardian_agent.probes.host_process import HostProcess
from guardian_agent.probes.host_release import HostRelease
from guardian_agent.probes.host_secret import HostSecret
from guardian_agent.probes.host_tasks import HostTasks
from guardian_agent.probes.host_unit import HostUnit
from guardian_agent.probes.l4_connect import L4Connect
from guardian_agent.probes.l4_listen import L4Listen
from guardian_agent.probes.l7_http import L7Http

PROBES: tuple[type[Probe], ...] = (
    HostDisk,
    HostMemory,
    HostCpu,
    HostIo,
    HostClock,
    HostArtifact,
    HostRelease,
    HostSecret,
    HostTasks,
    HostUnit,
    HostProcess,
    HostHeartbeat,
    L4Listen,
    L4Connect,
    L7Http,
)

__all__ = ["PROBES", "Probe"]
