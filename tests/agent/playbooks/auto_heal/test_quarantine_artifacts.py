from hashlib import sha256

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import SHOP, WEB, nginx, shop
from tests.agent.playbooks.pages import example_steps
from tests.agent.playbooks.situations import situation
from tests.agent.playbooks.test_playbooks import NoJournal

from guardian_agent.errors import CannotPlanError
from guardian_agent.host.questions import CopyState, JudgeCopy
from guardian_agent.model import Artifact, Component
from guardian_agent.playbooks.auto_heal.quarantine_artifacts import MD5_ALONE, QuarantineArtifacts
from guardian_agent.playbooks.base import Plan

PAGE, COPY = "/var/www/html/index.html", "/var/lib/good/index.html"
GOOD, BAD = "<h1>Welcome</h1>\n", "<h1>We were here</h1>\n"
DECLARED = Artifact(path=PAGE, sha256=sha256(GOOD.encode()).hexdigest(), good_copy=COPY)
FULL_WEB = msgspec.structs.replace(WEB, artifacts=(DECLARED,))


def defaced() -> FakeHost:
    """A host whose page was replaced."""
    host = FakeHost()
    nginx(host)
    host.files.put(COPY, GOOD)
    host.files.put(PAGE, BAD)
    host.answers[JudgeCopy] = CopyState(sha256=sha256(GOOD.encode()).hexdigest())
    return host


async def plan(host: FakeHost, component: Component = FULL_WEB) -> Plan:
    return await QuarantineArtifacts().plan(situation(component, "artifact_corrupt"), host)


async def test_the_corrupt_file_is_set_aside_and_undoing_brings_it_back() -> None:
    host = defaced()
    bad = dict(host.files.contents), dict(host.files.states)
    steps = [step.as_record() for step in (await plan(host)).steps]
    assert [step.describe for step in steps] == example_steps("quarantine_artifacts")
    await QuarantineArtifacts().execute(steps, host, NoJournal(), 120.0)
    assert host.files.contents[PAGE] == GOOD and host.units.by_name["nginx.service"].up
    await QuarantineArtifacts().rollback(steps, host, NoJournal(), 120.0)
    assert (host.files.contents, host.files.states) == bad


async def test_a_file_that_is_gone_comes_back_and_undoing_takes_it_away() -> None:
    host = defaced()
    host.files.remove(PAGE)
    steps = [step.as_record() for step in (await plan(host)).steps]
    await QuarantineArtifacts().execute(steps, host, NoJournal(), 120.0)
    assert host.files.contents[PAGE] == GOOD
    await QuarantineArtifacts().rollback(steps, host, NoJournal(), 120.0)
    assert PAGE not in host.files.states


async def test_the_same_corrupt_file_gets_the_same_name_and_another_one_another() -> None:
    host = defaced()
    first = [step.do for step in (await plan(host)).steps]
    assert [step.do for step in (await plan(host)).steps] == first
    host.files.put(PAGE, "something else")
    assert (await plan(host)).steps[0].do != first[0]


async def test_a_service_that_is_down_is_started() -> None:
    host = defaced()
    host.units.by_name["nginx.service"].crash()
    last = (await plan(host)).steps[-1].as_record()
    assert (last.describe, last.undo_describe) == ("systemctl start nginx.service", "systemctl stop nginx.service")


async def test_a_command_is_ended_and_started_and_who_has_neither_gets_the_file_only() -> None:
    host = defaced()
    shop(host)
    steps = (await plan(host, msgspec.structs.replace(SHOP, artifacts=(DECLARED,)))).steps
    assert [type(step.do).__name__ for step in steps] == ["QuarantineArtifact", "StopCommand", "StartCommand"]
    steps = (await plan(host, Component(name="bare", artifacts=(DECLARED,)))).steps
    assert [type(step.do).__name__ for step in steps] == ["QuarantineArtifact"]


async def test_md5_alone_is_called_no_proof() -> None:
    host = defaced()
    host.files.packaged[PAGE] = "0" * 32
    packaged = Artifact(path=PAGE, dpkg=True, good_copy=COPY)
    found = (await plan(host, msgspec.structs.replace(WEB, artifacts=(packaged,)))).findings
    assert found[PAGE]["copy_proven_by"] == MD5_ALONE


async def test_without_a_good_copy_it_is_left() -> None:
    bare = msgspec.structs.replace(DECLARED, good_copy=None)
    with pytest.raises(CannotPlanError, match="has no good_copy"):
        await plan(defaced(), msgspec.structs.replace(WEB, artifacts=(bare,)))


async def test_one_of_two_that_cannot_be_mended_leaves_both() -> None:
    other = Artifact(path="/usr/sbin/nginx", sha256="0" * 64)
    with pytest.raises(CannotPlanError, match="/usr/sbin/nginx has no good_copy"):
        await plan(defaced(), msgspec.structs.replace(WEB, artifacts=(DECLARED, other)))


async def test_a_copy_that_is_not_good_is_refused() -> None:
    host = defaced()
    host.answers[JudgeCopy] = CopyState(complaint=f"{COPY}: its sha256 is another")
    with pytest.raises(CannotPlanError, match="its sha256 is another"):
        await plan(host)


async def test_files_that_are_as_declared_are_no_business_of_its_own() -> None:
    host = defaced()
    host.files.put(PAGE, GOOD)
    with pytest.raises(CannotPlanError, match="every file of web is as declared"):
        await plan(host)


async def test_a_folder_in_the_place_of_a_file_is_left() -> None:
    host = defaced()
    host.files.states[PAGE] = msgspec.structs.replace(host.files.states[PAGE], kind="folder")
    with pytest.raises(CannotPlanError, match="is a folder"):
        await plan(host)


async def test_a_link_to_what_is_no_utf8_is_set_aside_too() -> None:
    host = defaced()
    host.files.remove(PAGE)
    host.files.link(PAGE, "/\udcff")
    undecodable = (await plan(host)).steps[0].do
    host.files.remove(PAGE)
    host.files.link(PAGE, "/\\udcff")
    assert (await plan(host)).steps[0].do != undecodable
