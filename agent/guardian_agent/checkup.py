"""What is the whole of this host like: every probe once, and what every playbook would do?"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from guardian_agent.detection.looking import Look
from guardian_agent.detection.scheduler import Watch
from guardian_agent.errors import CannotPlanError, ProbeError
from guardian_agent.host import Host
from guardian_agent.model import Component, Incident, Layer, StepRecord, Tier
from guardian_agent.playbooks import Playbook
from guardian_agent.playbooks.base import Seen, Situation
from guardian_agent.playbooks.checkup import Checked, Preview
from guardian_agent.probes.base import HOST_TARGET, is_host_target

SELF = f"{HOST_TARGET}self"  # what an execution is about that is about no incident
LOOK_LIMIT_S = 30.0
PREVIEW_LIMIT_S = 10.0
AT_ONCE = 8  # looks, so that they do not starve one another


class Watched:
    """The watches of one target, as a playbook's plan may read them."""

    def __init__(self, watches: Sequence[Watch], look: Callable[[Watch], Awaitable[Look]]) -> None:
        self._watches = {watch.probe_id: watch for watch in watches}
        self._look = look

    async def look(self, probe_id: str) -> Look:
        return await self._look(self._watches[probe_id])

    def looks(self) -> Mapping[str, Seen]:
        return {probe_id: watch.last_look for probe_id, watch in self._watches.items() if watch.last_look}

    def rise(self, probe_id: str) -> int:
        return self._watches[probe_id].schedule.rise

    def confirm_interval_s(self, probe_id: str) -> float:
        return self._watches[probe_id].confirm_interval_s


class WholeHost:
    """A checkup over the watches and playbooks of one host; it changes nothing."""

    def __init__(
        self,
        host: Host,
        *,
        components: tuple[Component, ...],
        playbooks: Mapping[str, Playbook],
        watches: Sequence[Watch],
        look: Callable[[Watch], Awaitable[Look]],
        ever_good: Callable[[Watch], bool],
        integrity: Callable[[], Awaitable[dict[str, str]]],
        protected: frozenset[str] = frozenset(),
    ) -> None:
        """`look` looks again with a watch; `ever_good`: whether it was good on this host once, as far as known."""
        self._host = host
        self._components = components
        self._playbooks = playbooks
        self._watches = watches
        self._look = look
        self._ever_good = ever_good
        self._integrity = integrity
        self._protected = protected

    def situation(self, *, target: str = SELF, issue_type: str = "", component: Component | None = None) -> Situation:
        """As if `target` had that issue now, without an incident."""
        now = self._host.clock.now()
        watches = [watch for watch in self._watches if watch.target == target]
        reports = next((watch for watch in watches if issue_type in watch.probe.issue_types), None)
        owner = reports or next(iter(watches), None)
        incident = Incident(
            incident_id="",
            target=target,
            issue_type=issue_type,
            layer=owner.probe.layer if owner else Layer.HOST,
            owner_probe=owner.probe_id if owner else "",
            first_bad_at=now,
            detected_at=now,
        )
        return Situation(
            incident=incident,
            component=component,
            looker=Watched(watches, self._look),
            components=self._components,
            protected=self._protected,
            previewer=self._steps,
            checkup=self,
        )

    async def integrity(self) -> Mapping[str, str]:
        """What is wrong with what Guardian keeps of its own doings."""
        return await self._integrity()

    async def looks(self) -> Sequence[Checked]:
        """A look with every probe of the host and of every component."""
        places = asyncio.Semaphore(AT_ONCE)

        async def checked(watch: Watch) -> Checked:
            async with places:
                try:
                    async with asyncio.timeout(LOOK_LIMIT_S):
                        look = await self._look(watch)
                except TimeoutError:
                    look = Look(at=self._host.clock.now(), unknown=f"no look within {LOOK_LIMIT_S:g} s")
            return msgspec.structs.replace(_checked(watch, look), counts=self._ever_good(watch))

        return await asyncio.gather(*map(checked, self._watches))

    async def previews(self) -> Sequence[Preview]:
        """What every playbook that mends something would do for every component, and for the host, if it had what the
        playbook heals."""
        found = []
        for playbook in self._playbooks.values():
            if playbook.tier > Tier.OBSERVES:
                for target, issue_type, component in self._cases(playbook):
                    found.append(await self._preview(playbook, target, issue_type, component))
        return found

    def _cases(self, playbook: Playbook) -> list[tuple[str, str, Component | None]]:
        """For each component what its probes may report and the playbook heals, one issue type each; for the host
        likewise."""
        cases: list[tuple[str, str, Component | None]] = []
        for component in self._components:
            reported = self._reported(component.name)
            issue_type = next((issue for issue in playbook.heals if issue in reported), "")
            if issue_type:
                cases.append((component.name, issue_type, component))
        for target in dict.fromkeys(watch.target for watch in self._watches if is_host_target(watch.target)):
            reported = self._reported(target)
            cases += [(target, issue, None) for issue in playbook.heals if issue in reported]
        return cases

    def _reported(self, target: str) -> set[str]:
        return {issue for watch in self._watches if watch.target == target for issue in watch.probe.issue_types}

    async def _preview(self, playbook: Playbook, target: str, issue_type: str, component: Component | None) -> Preview:
        situation = self.situation(target=target, issue_type=issue_type, component=component)
        steps: tuple[str, ...] = ()
        refusal = ""
        try:
            async with asyncio.timeout(PREVIEW_LIMIT_S):
                steps = tuple(step.describe for step in await situation.preview(playbook.playbook_id()))
        except (CannotPlanError, ProbeError) as error:
            refusal = str(error)
        except TimeoutError:
            refusal = f"planning took longer than {PREVIEW_LIMIT_S:g} s"
        return Preview(
            playbook=playbook.playbook_id(), target=target, issue_type=issue_type, steps=steps, refusal=refusal
        )

    async def _steps(self, situation: Situation, playbook_id: str) -> list[StepRecord]:
        return await self._playbooks[playbook_id].dry_run(situation, self._host)


def _checked(watch: Watch, look: Look) -> Checked:
    reading = look.reading
    seen = reading.evidence if reading else {}
    return Checked(
        probe=watch.probe_id,
        target=watch.target,
        ok=look.ok,
        issue_type=(reading.issue_type or watch.probe.issue_types[0]) if reading and not reading.ok else "",
        finding=", ".join(f"{key} {one}" for key, one in seen.items() if one not in ("", None)) or look.unknown,
        evidence=seen,
    )
