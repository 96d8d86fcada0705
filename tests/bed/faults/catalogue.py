"""All faults, the lowest layer first."""

from tests.bed.faults import host_files, host_resources, l7_application, l7_names, l7_releases
from tests.bed.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (
    *l7_application.FAULTS,
    *l7_names.FAULTS,
    *l7_releases.FAULTS,
    *host_resources.FAULTS,
    *host_files.FAULTS,
)
