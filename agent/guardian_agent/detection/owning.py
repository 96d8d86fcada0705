"""What is an open incident really, and which of its probes owns it, when all have looked?"""

import asyncio

from guardian_agent.detection.case import Case
from guardian_agent.detection.dependents import Dependents
from guardian_agent.detection.own_addresses import OwnAddresses
from guardian_agent.detection.ownership import could_outrank, owner_of
from guardian_agent.detection.scheduler import Scheduler, Watch
from guardian_agent.model import FROM_BELOW, Stamp
from guardian_agent.probes.base import is_host_target

LOOK_BELOW_S = 4.0  # two looks of the slowest that could account for an incident


class Owning:
    """Has everything looked at that could change what an incident is, and names its owner."""

    def __init__(self, scheduler: Scheduler, dependents: Dependents, own: OwnAddresses) -> None:
        self._scheduler = scheduler
        self._dependents = dependents
        self._own = own

    async def bring_forward(self, case: Case) -> None:
        """Looks with every probe that could change what the incident is: its dependencies', those of the host that it
        rests on, and the component's own."""
        own = asyncio.create_task(self._look_at_own(case), name=f"look at {case.incident.target}")
        try:
            needed = [w for d in self._dependents.below(case.incident.target) for w in self._scheduler.of_target(d)]
            await asyncio.gather(*(self._look_until_decided(w) for w in needed if not w.probe.lingers))
            await self._own.learn(watch.probe.asks() for watch in case.watches)
            await self._look_below(case)
            await own
        finally:
            own.cancel()

    async def _look_at_own(self, case: Case) -> None:
        """Looks with the component's other probes, as long as one of them could name another owner."""
        looks = {
            asyncio.ensure_future(self._scheduler.look(w)): w
            for w in case.watches
            if w is not case.owner and not w.probe.lingers
        }
        waiting = set(looks)
        try:
            while waiting:
                bad, left = self.bad_watches(case), [looks[look].probe.issue_types for look in waiting]
                if bad and not any(could_outrank(issue_types, bad[owner_of(bad)]) for issue_types in left):
                    break
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for look in waiting:
                look.cancel()

    def bad_watches(self, case: Case) -> dict[str, str]:
        """The incident's probes that look bad now, of those that were good here before, each with its issue type."""
        bad = {w.probe_id: issue for w in case.watches if w.ever_good and (issue := w.failing_as) is not None}
        if case.owner.condition.last_reading is None:  # from before the restart, and nothing was seen to the contrary
            bad[case.owner.probe_id] = case.incident.issue_type
        return bad

    def decide(self, case: Case) -> None:
        """Makes the probe nearest to the cause the incident's owner, by what was seen last."""
        incident, bad = case.incident, self.bad_watches(case)
        # What the host's own incident accounts for is not for this one to mend.
        free = {
            probe_id: issue
            for probe_id, issue in bad.items()
            if self._dependents.host_case(case, [(self._watch(case, probe_id).probe, issue)]) is None
        }
        if not (owners := free or bad):
            return
        owner_id = owner_of(owners)
        owner = self._watch(case, owner_id)
        incident.owner_probe, incident.issue_type, incident.layer = owner_id, bad[owner_id], owner.probe.layer
        if owner.condition.last_reading:
            incident.evidence = dict(owner.condition.last_reading.evidence)
        incident.last_good_at = last_good(self._scheduler, owner, incident.first_bad_at) or incident.last_good_at
        others = {issue for probe, issue in bad.items() if probe != owner_id} | set(incident.symptoms)
        incident.symptoms = sorted(others - {incident.issue_type})

    async def _look_below(self, case: Case) -> None:
        """Looks at what of the host itself could account for what is bad, until the lowest of it is known."""
        ground = {
            below for probe, issue_type in case.bad_looks() for below in self._dependents.ground(probe, issue_type)
        }
        below = [w for w in self._scheduler.watches.values() if w.probe_id in ground and is_host_target(w.target)]
        looks = {asyncio.ensure_future(self._look_until_decided(w)): w for w in below if w.ever_good}
        deadline_s = asyncio.get_running_loop().time() + LOOK_BELOW_S
        waiting = set(looks)
        while waiting and not self._is_lowest(self._dependents.host_case(case, case.bad_looks()), looks, waiting):
            left_s = deadline_s - asyncio.get_running_loop().time()
            done, waiting = await asyncio.wait(waiting, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                break
        for look in waiting:
            look.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    def _is_lowest(
        self, found: Case | None, looks: dict["asyncio.Task[None]", Watch], waiting: set["asyncio.Task[None]"]
    ) -> bool:
        """Whether nothing that still looks could lie lower than what was found."""
        if found is None:
            return False
        depth = FROM_BELOW.index(found.incident.layer)
        return all(FROM_BELOW.index(looks[look].probe.layer) > depth for look in waiting)

    async def _look_until_decided(self, watch: Watch) -> None:
        await self._scheduler.look(watch)
        for _ in range(watch.schedule.fall):
            if not watch.condition.undecided:
                return
            await self._scheduler.look(watch)

    def _watch(self, case: Case, probe_id: str) -> Watch:
        return self._scheduler.watches[f"{probe_id}/{case.incident.target}"]


def last_good(scheduler: Scheduler, owner: Watch, before: Stamp) -> Stamp | None:
    """When what `owner` asks about was last seen good: by itself, or by a probe that needs it, such as one of a higher
    layer."""
    above = FROM_BELOW[FROM_BELOW.index(owner.probe.layer) :]
    seen = [w.condition.last_good_at for w in scheduler.of_target(owner.target) if w.probe.layer in above]
    ours = [at for at in seen if at and at.boot_id == before.boot_id and at.boottime_ns <= before.boottime_ns]
    return max(ours, key=lambda at: at.boottime_ns, default=None)
