from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.ctl import answers
from tests.ctl.conftest import FakeApi

from guardian_ctl.demo import story
from guardian_ctl.demo.episode import Episode
from guardian_ctl.demo.faults import FAULTS, Fault
from guardian_ctl.demo.stage import PROBES, Stage
from guardian_ctl.demo.story import ENDPOINTS, Ending, tell
from guardian_ctl.demo.watching import Outage
from guardian_ctl.errors import CtlError

HOW_MANY = len(FAULTS)


class FakeStage:
    """Instead of processes: each pid that is asked for makes the API know of one incident more."""

    def __init__(self, api: FakeApi, **changes: Any) -> None:
        self.url = api.url
        self.client = SimpleNamespace(now=lambda: 100.0, outage_since=lambda _: Outage(100.0, 100.4))
        self.agent = SimpleNamespace(log=Path("agent.log"), tail=lambda: "; its log")
        self._api, self._changes = api, changes
        self._incidents: list[answers.Json] = []
        self._publish()

    def check(self) -> None:
        """No child of ours dies."""

    def pid(self) -> int:
        incident = answers.incident(id=f"incident-{len(self._incidents)}", **self._changes)
        self._incidents.insert(0, incident)
        self._publish()
        return 7

    async def until(self, ask: Callable[[], Awaitable[bool]], what: str, within_s: float, *, log: Path) -> None:
        assert await ask(), what

    def _publish(self) -> None:
        self._api.at("/api/guardian/incidents", {"incidents": self._incidents})
        for incident in self._incidents:
            self._api.at(f"/api/guardian/incidents/{incident['id']}", incident)


@pytest.fixture
def quiet(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """An API at which all is well, and faults that break nothing."""
    monkeypatch.setattr(Fault, "inject", lambda *_: None)
    for path in ENDPOINTS.values():
        api.at(path, {"path": path})
    layers = [answers.layer(1, name, "ok", conditions={"ok": count}) for name, count in PROBES.items()]
    api.at("/api/guardian/osi", {"layers": layers})
    api.at("/api/guardian/hosts", {"hosts": [answers.host()]})
    return api


async def play(stage: FakeStage) -> tuple[Ending, list[Episode]]:
    episodes: list[Episode] = []
    ending = await tell(cast("Stage", stage), episodes, lambda: None)
    return ending, episodes


async def test_each_fault_gets_the_incident_that_was_not_there_before(quiet: FakeApi) -> None:
    ending, episodes = await play(FakeStage(quiet))
    assert [episode.incident["id"] for episode in episodes if episode.incident] == [
        f"incident-{number}" for number in range(HOW_MANY)
    ]
    told = [(incident["id"], incident["fault"], incident["outcome"]) for incident in ending.incidents]
    assert told == [(f"incident-{number}", fault.name, "healed") for number, fault in enumerate(FAULTS)]
    assert ending.incidents[0]["client_outage_seconds"] == pytest.approx(0.4)
    assert ending.answers["stats"] == {"path": "/api/guardian/stats"}
    assert ending.healed


async def test_what_somebody_else_ended_is_not_healed(quiet: FakeApi) -> None:
    ending, _ = await play(FakeStage(quiet, resolution="spontaneous", executions=[]))
    assert not ending.healed
    assert ending.incidents[0]["outcome"] is None


async def test_what_is_not_over_in_time_ends_the_demo_with_the_agent_s_log(
    quiet: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "RECOVER_WITHIN_S", 0.2)
    with pytest.raises(CtlError, match=r'^"killed" was not over after 0\.2 s: seen; its log$'):
        await play(FakeStage(quiet, open=True, executions=[]))


def test_fewer_incidents_than_faults_are_not_healed() -> None:
    assert not Ending(incidents=[answers.incident()] * (HOW_MANY - 1)).healed
    assert Ending(incidents=[answers.incident()] * HOW_MANY).healed
