"""One question a file; `PROBES` is all of them, lowest layer first."""

from guardian_agent.probes.base import Probe
from guardian_agent.probes.host_process import HostProcess
from guardian_agent.probes.host_unit import HostUnit
from guardian_agent.probes.l4_accept import L4Accept
from guardian_agent.probes.l4_connect import L4Connect
from guardian_agent.probes.l4_conntrack import L4Conntrack
from guardian_agent.probes.l4_listen import L4Listen
from guardian_agent.probes.l4_ports import L4Ports
from guardian_agent.probes.l4_retransmissions import L4Retransmissions
from guardian_agent.probes.l5_session import L5Session
from guardian_agent.probes.l5_tls_resume import L5TlsResume
from guardian_agent.probes.l6_certificate import L6Certificate
from guardian_agent.probes.l6_payload import L6Payload
from guardian_agent.probes.l7_command import L7Command
from guardian_agent.probes.l7_dns import L7Dns
from guardian_agent.probes.l7_grpc import L7Grpc
from guardian_agent.probes.l7_http import L7Http

PROBES: tuple[type[Probe], ...] = (
    HostUnit,
    HostProcess,
    L4Listen,
    L4Accept,
    L4Connect,
    L4Ports,
    L4Conntrack,
    L4Retransmissions,
    L5Session,
    L5TlsResume,
    L6Certificate,
    L6Payload,
    L7Dns,
    L7Http,
    L7Grpc,
    L7Command,
)

__all__ = ["PROBES", "Probe"]
