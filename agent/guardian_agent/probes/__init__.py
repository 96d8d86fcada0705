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
from guardian_agent.probes.l1_carrier import L1Carrier
from guardian_agent.probes.l1_errors import L1Errors
from guardian_agent.probes.l1_loss import L1Loss
from guardian_agent.probes.l2_duplicate_address import L2DuplicateAddress
from guardian_agent.probes.l2_gateway_mac import L2GatewayMac
from guardian_agent.probes.l2_mtu import L2Mtu
from guardian_agent.probes.l2_neighbour import L2Neighbour
from guardian_agent.probes.l3_addresses import L3Addresses
from guardian_agent.probes.l3_default_route import L3DefaultRoute
from guardian_agent.probes.l3_gateway import L3Gateway
from guardian_agent.probes.l3_path_mtu import L3PathMtu
from guardian_agent.probes.l3_routes import L3Routes
from guardian_agent.probes.l3_upstream import L3Upstream
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
from guardian_agent.probes.l7_date import L7Date
from guardian_agent.probes.l7_dns import L7Dns
from guardian_agent.probes.l7_grpc import L7Grpc
from guardian_agent.probes.l7_http import L7Http

PROBES: tuple[type[Probe], ...] = (
    L1Carrier,
    L1Errors,
    L1Loss,
    L2Neighbour,
    L2GatewayMac,
    L2DuplicateAddress,
    L2Mtu,
    L3Addresses,
    L3DefaultRoute,
    L3Routes,
    L3Gateway,
    L3Upstream,
    L3PathMtu,
    HostUnit,
    HostProcess,
    HostDisk,
    HostMemory,
    HostCpu,
    HostIo,
    HostClock,
    HostArtifact,
    HostHeartbeat,
    HostRelease,
    HostSecret,
    HostTasks,
    L4Accept,
    L4Connect,
    L4Conntrack,
    L4Listen,
    L4Ports,
    L4Retransmissions,
    L5Session,
    L5TlsResume,
    L6Certificate,
    L6Payload,
    L7Command,
    L7Dns,
    L7Grpc,
    L7Http,
    L7Date,
)

__all__ = ["PROBES", "Probe"]
