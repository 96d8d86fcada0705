"""All faults, the lowest layer first."""

from tests.bed.faults import l4_transport, l5_session, l6_presentation, l7_application
from tests.bed.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (
    *l4_transport.FAULTS,
    *l5_session.FAULTS,
    *l6_presentation.FAULTS,
    *l7_application.FAULTS,
)
