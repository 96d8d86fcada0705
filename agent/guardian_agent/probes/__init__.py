"""One question a file; `PROBES` is all of them, lowest layer first."""

from guardian_agent.probes.base import Probe
from guardian_agent.probes.host_process import HostProcess
from guardian_agent.probes.host_unit import HostUnit
from guardian_agent.probes.l1_carrier import L1Carrier
from guardian_agent.probes.l1_errors import L1Errors
from guardian_agent.probes.l2_mtu import L2Mtu
from guardian_agent.probes.l3_addresses import L3Addresses
from guardian_agent.probes.l3_default_route import L3DefaultRoute
from guardian_agent.probes.l3_routes import L3Routes
from guardian_agent.probes.l4_connect import L4Connect
from guardian_agent.probes.l4_listen import L4Listen
from guardian_agent.probes.l7_http import L7Http

PROBES: tuple[type[Probe], ...] = (
    L1Carrier,
    L1Errors,
    L2Mtu,
    L3Addresses,
    L3DefaultRoute,
    L3Routes,
    HostUnit,
    HostProcess,
    L4Listen,
    L4Connect,
    L7Http,
)

__all__ = ["PROBES", "Probe"]
