"""One question a file; `PROBES` is all of them, lowest layer first."""

from guardian_agent.probes.base import Probe
from guardian_agent.probes.host_process import HostProcess
from guardian_agent.probes.host_unit import HostUnit
from guardian_agent.probes.l4_accept import L4Accept
from guardian_agent.probes.l4_connect import L4Connect
from guardian_agent.probes.l4_listen import L4Listen
from guardian_agent.probes.l7_http import L7Http

PROBES: tuple[type[Probe], ...] = (
    HostUnit,
    HostProcess,
    L4Listen,
    L4Accept,
    L4Connect,
    L7Http,
)

__all__ = ["PROBES", "Probe"]
