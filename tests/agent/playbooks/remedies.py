"""For every playbook a broken host that it mends, for the tests that break in on it."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.agent.fake_host import FakeHost
from tests.agent.healing.lives import Lives, LivesCase, play
from tests.agent.healing.scene import SHOP, WEB, nginx, quick, shop
from tests.agent.playbooks.picture import picture

from guardian_agent.detection.looking import Look
from guardian_agent.errors import ProbeError
from guardian_agent.host.operations import Operation
from guardian_agent.model import Component, Incident, Layer, Schedule
from guardian_agent.playbooks import Playbook
from guardian_agent.playbooks.auto_heal.restart_service import RestartService
from guardian_agent.playbooks.network.restart_component import RestartComponent
from guardian_agent.probes import Probe
from guardian_agent.probes.host_process import HostProcess
from guardian_agent.probes.host_unit import HostUnit

GRACE_S = 5.0


@dataclass(frozen=True)
class Remedy:
    """One fault of a host, and the playbook that mends it."""

    playbook: Playbook
    issue_type: str
    broken: Callable[[], FakeHost]
    probe: Probe | None  # the one that found it
    component: Component | None = None
    target: str = ""  # where it is not a component
    not_taken_back: tuple[str, ...] = ()  # the parts of the host that an irreversible step changes

    async def play(self, *, mends: bool = True, **story: object) -> tuple[FakeHost, Lives]:
        """The lives of an agent that mends it; without `mends` the probe sees the fault whatever is done."""
        host = self.broken()
        lives = Lives(lambda: picture(host), **story)  # type: ignore[arg-type]
        carry_out = host.do

        async def do(operation: Operation) -> None:
            lives.event()
            await carry_out(operation)
            lives.event()

        setattr(host, "do", do)  # noqa: B010 - an instance's own, for mypy
        bad = await self._look(host)
        assert bad.ok is False, bad
        incident = Incident(
            incident_id="i1",
            target=self.component.name if self.component else self.target,
            issue_type=self.issue_type,
            layer=Layer.HOST,
            owner_probe=self.probe.probe_id() if self.probe else "host_unit",
            first_bad_at=host.clock.now(),
            detected_at=host.clock.now(),
            evidence=bad.reading.evidence if bad.reading else {},
        )

        async def look() -> Look:
            return await self._look(host) if mends else bad

        component = quick(self.component, GRACE_S) if self.component else None
        known = (component,) if component else ()
        await play(host, lives, self.playbook, lambda: LivesCase(incident, component, look, bad), known)
        return host, lives

    async def _look(self, host: FakeHost) -> Look:
        assert self.probe is not None
        try:
            return Look(at=host.clock.now(), reading=await self.probe.look(host))
        except ProbeError as error:
            return Look(at=host.clock.now(), unknown=str(error))


def crashed() -> FakeHost:
    host = FakeHost()
    nginx(host).crash()
    return host


def killed() -> FakeHost:
    host = FakeHost()
    shop(host).crash()
    return host


REMEDIES: tuple[Remedy, ...] = (
    Remedy(
        playbook=RestartService(),
        issue_type="service_failed",
        broken=crashed,
        probe=HostUnit.for_component(WEB, Schedule()),
        component=WEB,
        not_taken_back=("units",),
    ),
    Remedy(
        playbook=RestartComponent(),
        issue_type="process_crashed",
        broken=killed,
        probe=HostProcess.for_component(SHOP, Schedule()),
        component=SHOP,
        not_taken_back=("processes",),
    ),
)
