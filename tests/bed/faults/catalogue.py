"""All faults, the lowest layer first."""

from tests.bed.faults import l1_physical, l2_data_link, l3_network, l7_application
from tests.bed.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (
    *l1_physical.FAULTS,
    *l2_data_link.FAULTS,
    *l3_network.FAULTS,
    *l7_application.FAULTS,
)
