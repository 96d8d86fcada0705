import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import SHOP, WEB, nginx, shop
from tests.agent.playbooks.pages import example_steps
from tests.agent.playbooks.situations import saw, situation
from tests.agent.playbooks.test_playbooks import NoJournal

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import KnownGood
from guardian_agent.model import Component, Releases
from guardian_agent.playbooks.auto_heal.rollback_deployment import RollbackDeployment
from guardian_agent.playbooks.base import Plan

FOLDER, CURRENT = "/srv/web/releases", "/srv/web/current"
RELEASES = Releases(folder=FOLDER, current=CURRENT)
FULL_WEB = msgspec.structs.replace(WEB, releases=RELEASES)
FULL_SHOP = msgspec.structs.replace(SHOP, releases=RELEASES)


def release(host: FakeHost, path: str, kind: str = "folder") -> None:
    host.files.put(path)
    host.files.states[path] = msgspec.structs.replace(host.files.states[path], kind=kind)


def deployed(target: str = "releases/2") -> FakeHost:
    """A host that was good with release 1, and has release 2 now."""
    host = FakeHost()
    nginx(host)
    shop(host)
    release(host, f"{FOLDER}/1")
    release(host, f"{FOLDER}/2")
    host.files.link(CURRENT, target, modified_wall_s=1_700_000_000.0)
    host.known.good = KnownGood(releases={"web": "releases/1", "shop": "releases/1"})
    return host


async def plan(host: FakeHost, component: Component = FULL_WEB, issue_type: str = "deploy_regressed") -> Plan:
    return await RollbackDeployment().plan(situation(component, issue_type), host)


@pytest.mark.parametrize("component", [FULL_WEB, FULL_SHOP], ids=lambda component: component.name)
async def test_the_last_good_release_runs_and_undoing_runs_the_other_again(component: Component) -> None:
    host = deployed()
    bad = host.files.states[CURRENT]
    steps = [step.as_record() for step in (await plan(host, component)).steps]
    if component.name == "web":
        assert [step.describe for step in steps] == example_steps("rollback_deployment")
    await RollbackDeployment().execute(steps, host, NoJournal(), 120.0)
    assert host.files.states[CURRENT].target == "releases/1"
    await RollbackDeployment().rollback(steps, host, NoJournal(), 120.0)
    assert host.files.states[CURRENT] == bad
    ran = [change for change in host.changes() if "ln -sfn" not in change][-1]
    assert ran == ("systemctl restart nginx.service" if component.name == "web" else "setsid /usr/bin/shop &")
    assert host.units.by_name["nginx.service"].up and host.processes.by_name["shop"].up


async def test_what_was_down_is_down_again_and_what_crashes_is_left_to_systemd() -> None:
    host = deployed()
    unit = host.units.by_name["nginx.service"]
    unit.crash()
    undo = [step.as_record().undo_describe for step in (await plan(host)).steps]
    assert undo == ["", "ln -sfn releases/2 /srv/web/current", "systemctl stop nginx.service"]
    unit.active_state = "activating"
    assert (await plan(host)).steps[0].as_record().undo_describe == "systemctl kill --signal=SIGKILL nginx.service"


async def test_a_hung_release_is_killed_first() -> None:
    asked = situation(FULL_WEB, "service_hung", looks={"l4_accept": saw(False, all_stopped=True)})
    steps = await RollbackDeployment().dry_run(asked, deployed())
    assert "systemctl kill --signal=SIGKILL nginx.service" in [step.describe for step in steps]


@pytest.mark.parametrize("there", ["dangling", "missing"])
async def test_a_link_that_leads_nowhere_or_is_missing_is_mended_and_undone(there: str) -> None:
    host = deployed("releases/gone")
    if there == "missing":
        host.files.remove(CURRENT)
    before = host.files.states.get(CURRENT)
    steps = [step.as_record() for step in (await plan(host)).steps]
    await RollbackDeployment().execute(steps, host, NoJournal(), 120.0)
    await RollbackDeployment().rollback(steps, host, NoJournal(), 120.0)
    assert host.files.states.get(CURRENT) == before


async def test_a_component_that_nothing_runs_gets_its_link_only() -> None:
    host = deployed()
    host.known.good = KnownGood(releases={"bare": "releases/1"})
    steps = (await plan(host, Component(name="bare", releases=RELEASES))).steps
    assert [step.do.describe() for step in steps] == ["ln -sfn releases/1 /srv/web/current"]


@pytest.mark.parametrize("written", ["releases/1", "./releases/1", "/srv/web/releases/1/"])
async def test_the_release_last_seen_good_is_not_to_blame_however_it_is_written(written: str) -> None:
    with pytest.raises(CannotPlanError, match="is the release last seen good already"):
        await plan(deployed(written))


async def test_nobody_knows_a_better_one_where_none_was_seen_good() -> None:
    host = deployed()
    host.known.good = KnownGood()
    with pytest.raises(CannotPlanError, match="no release of web was ever seen good"):
        await plan(host)
    with pytest.raises(CannotPlanError, match="declares no releases"):
        await plan(host, WEB)


@pytest.mark.parametrize(
    ("good", "why"), [("releases/0", "is there no more"), ("releases/l", "is a link"), ("../elsewhere", "is not in")]
)
async def test_a_good_release_that_is_gone_or_elsewhere_is_none_to_go_back_to(good: str, why: str) -> None:
    host = deployed()
    host.files.link(f"{FOLDER}/l", "/elsewhere")
    host.known.good = KnownGood(releases={"web": good})
    with pytest.raises(CannotPlanError, match=why):
        await plan(host)


@pytest.mark.parametrize("target", ["/elsewhere", "releases/l", "releases/../../x", "releases/\udcff"])
async def test_a_link_that_could_not_be_switched_back_is_left(target: str) -> None:
    host = deployed(target)
    host.files.link(f"{FOLDER}/l", "/elsewhere")
    with pytest.raises(CannotPlanError, match="could not be switched back"):
        await plan(host)


async def test_a_folder_in_the_links_place_is_left() -> None:
    host = deployed()
    release(host, CURRENT)
    with pytest.raises(CannotPlanError, match="is a folder and not a link"):
        await plan(host)
