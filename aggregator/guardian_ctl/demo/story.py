"""What happens in the demo, in order: break, watch, wait until it is well again; three times."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from guardian_ctl.client import Client
from guardian_ctl.demo.episode import Episode, attempts, is_healed
from guardian_ctl.demo.faults import FAULTS
from guardian_ctl.demo.stage import COMPONENT, POLL_S, Stage, all_well
from guardian_ctl.errors import CtlError

RECOVER_WITHIN_S = 45.0

# What the design calls the six endpoints; the fourth is two.
ENDPOINTS = {
    name: f"/api/guardian/{name}"
    for name in (
        "stats",
        "healer/stats",
        "playbooks",
        "mttr/by-issue-type",
        "mttr/by-playbook",
        "failures/recent",
        "osi",
    )
}


@dataclass
class Ending:
    """What the API tells when all is over: every incident with its executions, oldest first, and the endpoints."""

    incidents: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def healed(self) -> bool:
        """Whether each fault became an incident, and Guardian ended every incident."""
        return len(self.incidents) >= len(FAULTS) and all(map(is_healed, self.incidents))


async def tell(stage: Stage, episodes: list[Episode], changed: Callable[[], None]) -> Ending:
    """Plays the three faults, calling `changed` whenever more is known.

    Raises:
        CtlError: an incident was not over in time, or a child ended.
    """
    async with Client(stage.url) as api:
        for fault in FAULTS:
            episode = Episode(fault, earlier={incident["id"] for incident in await _incidents(api)})
            episodes.append(episode)
            episode.pid = stage.pid()
            episode.broken_at = stage.client.now()
            fault.inject(episode.pid)
            await _watch(stage, api, episode, changed)
            await stage.until(lambda: all_well(api), "every probe is good again", RECOVER_WITHIN_S, log=stage.agent.log)
        return await _ending(api, episodes)


async def _watch(stage: Stage, api: Client, episode: Episode, changed: Callable[[], None]) -> None:
    end = asyncio.get_running_loop().time() + RECOVER_WITHIN_S
    while not episode.over:
        stage.check()
        if asyncio.get_running_loop().time() > end:
            text = f'"{episode.fault.name}" was not over after {RECOVER_WITHIN_S:g} s: {episode.state()}'
            raise CtlError(text + stage.agent.tail())
        await asyncio.sleep(POLL_S)
        episode.outage = stage.client.outage_since(episode.broken_at or 0.0)
        new = [incident["id"] for incident in await _incidents(api) if incident["id"] not in episode.earlier]
        if new:
            episode.incident = (await api.get(f"/api/guardian/incidents/{new[0]}")).data
        changed()


async def _incidents(api: Client) -> list[dict[str, Any]]:
    """The component's incidents, oldest first."""
    answer = await api.get("/api/guardian/incidents", [("target", COMPONENT)])
    incidents: list[dict[str, Any]] = answer.data["incidents"]
    return incidents[::-1]


async def _ending(api: Client, episodes: list[Episode]) -> Ending:
    by_id = {episode.incident["id"]: episode.as_json() for episode in episodes if episode.incident}
    ending = Ending()
    for incident in await _incidents(api):
        detail = (await api.get(f"/api/guardian/incidents/{incident['id']}")).data
        ran = attempts(detail)
        outcome = ran[-1]["outcome"] if ran else None
        told = by_id.get(detail["id"], {"fault": None, "client_outage_seconds": None})
        ending.incidents.append(detail | {"outcome": outcome} | told)
    ending.answers = {name: (await api.get(path)).data for name, path in ENDPOINTS.items()}
    return ending
