import asyncio
from contextlib import suppress

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_workloads import FakeUnit
from tests.agent.healing.scene import URL, nginx
from tests.agent.probes.asking import FULL_UNIT, install, look, made, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import Answer, KnownGood
from guardian_agent.probes.base import RESOURCES
from guardian_agent.probes.host_release import HostRelease

CURRENT = "/srv/web/current"
GRACE_S = FULL_UNIT.start_grace_s
REFUSED = Answer(connected=False, refused=True)
SILENT = Answer(connected=True, elapsed_s=1.0)


async def deployed(release: str = "releases/2") -> tuple[FakeHost, FakeUnit]:
    """A host that was good with release 1, and has just got another."""
    host = FakeHost()
    unit = nginx(host)
    install(host)
    host.known.good = KnownGood(releases={"web": "releases/1"})
    host.files.put("/srv/web/releases/2")
    assert await sees(HostRelease, host, FULL_UNIT) == ""
    host.files.link(CURRENT, release, modified_wall_s=host.clock.now().wall_ns / 1e9)
    return host, unit


async def test_a_new_release_that_does_well_is_good() -> None:
    host, _ = await deployed()
    reading = await look(HostRelease, host, FULL_UNIT)
    assert reading.ok and reading.evidence["release"] == "/srv/web/releases/2"
    assert reading.evidence["last_good"] == "/srv/web/releases/1"


async def test_a_link_that_leads_nowhere_or_is_gone_is_a_bad_release() -> None:
    host, _ = await deployed("releases/gone")
    assert await sees(HostRelease, host, FULL_UNIT) == "deploy_regressed"
    host.files.remove(CURRENT)
    assert await sees(HostRelease, host, FULL_UNIT) == "deploy_regressed"


async def test_a_link_to_what_is_no_utf8_is_a_bad_release_that_can_be_written_down() -> None:
    host, _ = await deployed("releases/\udcff")
    reading = await look(HostRelease, host, FULL_UNIT)
    assert reading.ok is False and msgspec.json.encode(reading.evidence)


@pytest.mark.parametrize("state", [("failed", "failed"), ("activating", "auto-restart")])
async def test_a_unit_that_fails_under_a_new_release_is_a_bad_release(state: tuple[str, str]) -> None:
    host, unit = await deployed()
    unit.active_state, unit.sub_state = state
    assert await sees(HostRelease, host, FULL_UNIT) == "deploy_regressed"


async def test_a_release_that_crashes_again_and_again_is_bad_even_in_the_moments_in_which_it_is_up() -> None:
    host, unit = await deployed()
    assert await sees(HostRelease, host, FULL_UNIT) == ""
    unit.restarts += 1
    await asyncio.sleep(1)
    assert await sees(HostRelease, host, FULL_UNIT) == "", "once may be bad luck"
    unit.restarts += 1
    await asyncio.sleep(1)
    assert await sees(HostRelease, host, FULL_UNIT) == "deploy_regressed"
    await asyncio.sleep(40)
    assert await sees(HostRelease, host, FULL_UNIT) == ""


async def test_a_release_that_answers_wrongly_is_bad_at_once() -> None:
    host, unit = await deployed()
    unit.status = 500
    assert await sees(HostRelease, host, FULL_UNIT) == "deploy_regressed"
    assert "answers 500" in (await look(HostRelease, host, FULL_UNIT)).evidence["reason"]


@pytest.mark.parametrize("answer", [REFUSED, SILENT])
async def test_a_release_that_does_not_answer_is_bad_once_it_has_had_its_time_to_start(answer: Answer) -> None:
    host, _ = await deployed()
    host.sockets.answers[URL] = answer
    for _ in range(int(GRACE_S)):
        with pytest.raises(ProbeError, match="may still be starting"):
            await look(HostRelease, host, FULL_UNIT)
        await asyncio.sleep(1)
    await asyncio.sleep(1)
    assert await sees(HostRelease, host, FULL_UNIT) == "deploy_regressed"


async def test_a_restart_long_after_the_link_was_changed_has_its_time_too() -> None:
    host, unit = await deployed()
    for _ in range(60):
        await asyncio.sleep(1)
        assert await sees(HostRelease, host, FULL_UNIT) == ""
    await unit.by_hand("restart")
    host.sockets.answers[URL] = REFUSED
    with pytest.raises(ProbeError, match="may still be starting"):
        await look(HostRelease, host, FULL_UNIT)
    for _ in range(int(GRACE_S) + 1):
        await asyncio.sleep(1)
        with suppress(ProbeError):
            await look(HostRelease, host, FULL_UNIT)
    assert await sees(HostRelease, host, FULL_UNIT) == "deploy_regressed"


async def test_a_unit_that_is_starting_or_stopping_is_not_judged() -> None:
    host, unit = await deployed()
    unit.active_state, unit.sub_state = "activating", "start-pre"
    with pytest.raises(ProbeError, match="cannot be judged yet"):
        await look(HostRelease, host, FULL_UNIT)


async def test_under_the_release_that_was_good_a_failure_has_another_cause() -> None:
    host, unit = await deployed("/srv/web/releases/1")
    unit.crash()
    assert await sees(HostRelease, host, FULL_UNIT) == ""
    assert host.known.good.releases["web"] == "releases/1", "the same, written otherwise"


async def test_a_release_is_not_blamed_for_ever_nor_where_none_was_ever_good() -> None:
    host, unit = await deployed()
    unit.crash()
    assert await sees(HostRelease, host, FULL_UNIT) == "deploy_regressed"
    host.known.good = KnownGood()
    assert await sees(HostRelease, host, FULL_UNIT) == ""
    host.known.good = KnownGood(releases={"web": "releases/1"})
    await asyncio.sleep(601)
    assert await sees(HostRelease, host, FULL_UNIT) == ""


async def test_a_folder_in_the_place_of_the_link_tells_no_release() -> None:
    host, _ = await deployed()
    host.files.put(CURRENT)
    with pytest.raises(ProbeError, match="is no link"):
        await look(HostRelease, host, FULL_UNIT)


async def test_a_component_without_health_and_unit_is_judged_by_its_link_only() -> None:
    host, _ = await deployed()
    plain = msgspec.structs.replace(FULL_UNIT, unit=None, health=None)
    assert await sees(HostRelease, host, plain) == ""
    assert made(HostRelease, plain).rests_on("deploy_regressed") == ()
    assert made(HostRelease, FULL_UNIT).rests_on("deploy_regressed") == RESOURCES
