"""Host: did the component's new release break it?"""

from typing import Annotated, Any, ClassVar, Self

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.host.escaped import escaped
from guardian_agent.host.releases import place_of
from guardian_agent.model import Component, Layer, Reading, Schedule
from guardian_agent.probes.base import RESOURCES, Probe

RESTARTS_OVER_S = 30.0
RESTARTS_OF_A_LOOP = 2


class HostRelease(Probe, frozen=True, kw_only=True):
    """Failing while the link to the current release leads nowhere, or leads since a short while to another release than
    the one last seen good, and the unit fails or the health check does.

    A component that fails under the release that it was good with has another fault than this one.
    """

    layer: ClassVar = Layer.HOST
    issue_types: ClassVar = ("deploy_regressed",)
    schedule: ClassVar = Schedule(interval_s=1.0, timeout_s=2.0)
    options: ClassVar = ("blamed_for_s",)

    component: str
    current: str
    unit: str | None = None
    url: str | None = None
    expect_status: tuple[int, ...] = (200,)
    answer_within_s: float = 1.0
    start_grace_s: float = 20.0
    blamed_for_s: Annotated[float, msgspec.Meta(gt=0)] = 600.0  # after the link was changed

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        if component.releases is None:
            return None
        health = component.health
        if health is None or health.http is None:
            return cls(
                component=component.name,
                current=component.releases.current,
                unit=component.unit,
                start_grace_s=component.start_grace_s,
            )
        return cls(
            component=component.name,
            current=component.releases.current,
            unit=component.unit,
            url=health.http,
            expect_status=health.expect_status,
            answer_within_s=health.timeout_s or 1.0,
            start_grace_s=component.start_grace_s,
        )

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return RESOURCES if self.url else ()

    async def look(self, host: Host) -> Reading:
        link = await host.files.state(self.current)
        evidence: dict[str, Any] = {"current": self.current}
        if link is None:
            return Reading(ok=False, evidence=evidence | {"reason": "there is no such link"})
        if link.kind != "link":
            raise ProbeError(f"{self.current} is no link, so no release is told by it")
        release = self._place(link.target)
        evidence["release"] = escaped(release)
        if await host.files.state(release) is None:
            return Reading(ok=False, evidence=evidence | {"reason": "the release is not there"})
        good = host.known.good.releases.get(self.component)
        age_s = (host.clock.now().wall_ns - link.modified_wall_ns) / 1e9
        evidence |= {"last_good": good and self._place(good), "changed_s_ago": round(age_s, 1)}
        if good is None or self._place(good) == release or age_s > self.blamed_for_s:
            return Reading(ok=True, evidence=evidence)
        started = await self._started_lately(host)  # it counts, so it is asked at each look
        reason = await self._unit_fails(host) or await self._health_fails(host, started=started, age_s=age_s)
        return Reading(ok=not reason, evidence=evidence | ({"reason": reason} if reason else {}))

    def _place(self, target: str) -> str:
        return place_of(self.current, target)

    async def _unit_fails(self, host: Host) -> str:
        if self.unit is None:
            return ""
        state = await host.units.state(self.unit)
        if state.active_state == "failed" or state.sub_state.startswith("auto-restart"):
            return f"{self.unit} is {state.active_state} ({state.sub_state}, {state.result})"
        counted = {"restarts": state.restarts}
        grown = host.growth.of(f"release/{self.component}", counted, host.clock.now(), RESTARTS_OVER_S)
        if grown is not None and grown.by["restarts"] >= RESTARTS_OF_A_LOOP:
            return f"{self.unit} was restarted {grown.by['restarts']} times in {grown.seconds:.0f} s"
        if state.active_state in ("activating", "deactivating") or state.job_id:
            raise ProbeError(
                f"{self.unit} is {state.active_state} ({state.sub_state}): the release cannot be judged yet"
            )
        return ""

    async def _health_fails(self, host: Host, *, started: bool, age_s: float) -> str:
        """Who was started a moment ago need not be reached yet, and who is new need not answer yet; but an answer is an
        answer."""
        if self.url is None:
            return ""
        answer = await host.sockets.http_get(self.url, self.answer_within_s)
        if answer.status in self.expect_status:
            return ""
        if answer.status is not None:
            return f"{self.url} answers {answer.status}"
        if age_s < self.start_grace_s or (started and not answer.connected):
            raise ProbeError(f"{self.component} may still be starting its new release")
        return f"{self.url} does not answer within {self.answer_within_s:g} s"

    async def _started_lately(self, host: Host) -> bool:
        """Told by the control group, which is a new one, with a higher number, after each start of the unit."""
        if self.unit is None:
            return False
        number = await host.units.cgroup_id((await host.units.state(self.unit)).control_group)
        counted, now = {"group": number or 0}, host.clock.now()
        grown = host.growth.of(f"release/{self.component}/group", counted, now, self.start_grace_s)
        return grown is None or grown.by["group"] > 0  # None: not watched for long enough to tell
