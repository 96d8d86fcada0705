"""Host: is the component's systemd unit up?"""

from typing import ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, UnitState
from guardian_agent.model import Component, Layer, Reading, Schedule
from guardian_agent.probes.base import Probe


class HostUnit(Probe, frozen=True, kw_only=True):
    """Failing while the unit is neither up nor on its way up by somebody's order.

    A job that is pending (an operator's or a package's start, stop, restart) makes the answer unknown until it is
    done. systemd's own automatic restart is no such order: the unit is down until it is up again.
    """

    layer: ClassVar = Layer.HOST
    issue_types: ClassVar = ("service_failed",)
    reads_kernel_state: ClassVar = True

    unit: str

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        return cls(unit=component.unit) if component.unit else None

    async def look(self, host: Host) -> Reading:
        state = await host.units.state(self.unit)
        if state.load_state in ("not-found", "masked", "bad-setting", "error"):
            raise ProbeError(f"{self.unit} cannot be judged: systemd says it is {state.load_state}")
        if state.active_state in ("active", "reloading", "refreshing"):
            return Reading(ok=True, evidence=_evidence(state))
        restarting_itself = state.sub_state.startswith("auto-restart")
        if state.job_id and not restarting_itself:
            raise ProbeError(f"{self.unit} has a pending {state.job_type or 'systemd'} job")
        if state.active_state == "activating" and not restarting_itself:
            raise ProbeError(f"{self.unit} is starting ({state.sub_state})")
        return Reading(ok=False, evidence=_evidence(state))


def _evidence(state: UnitState) -> dict[str, str | int]:
    return {
        "unit": state.unit,
        "active_state": state.active_state,
        "sub_state": state.sub_state,
        "result": state.result,
        "restarts": state.restarts,
    }
