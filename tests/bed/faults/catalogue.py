"""All faults, the lowest layer first."""

from tests.bed.faults import l7_application
from tests.bed.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (*l7_application.FAULTS,)
