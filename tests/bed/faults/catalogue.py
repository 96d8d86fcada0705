"""All faults, the lowest layer first."""

from tests.bed.faults import (
    host_files,
    host_resources,
    l1_physical,
    l2_data_link,
    l3_network,
    l4_transport,
    l5_session,
    l6_presentation,
    l7_application,
    l7_names,
    l7_releases,
)
from tests.bed.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (
    *l1_physical.FAULTS,
    *l2_data_link.FAULTS,
    *l3_network.FAULTS,
    *l4_transport.FAULTS,
    *l5_session.FAULTS,
    *l6_presentation.FAULTS,
    *l7_application.FAULTS,
    *l7_names.FAULTS,
    *l7_releases.FAULTS,
    *host_resources.FAULTS,
    *host_files.FAULTS,
)
