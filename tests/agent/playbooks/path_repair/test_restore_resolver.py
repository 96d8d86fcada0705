import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.playbooks.pages import example_steps
from tests.agent.playbooks.situations import situation
from tests.agent.playbooks.test_playbooks import NoJournal

from guardian_agent.detection.first_sight import Interests, sight
from guardian_agent.errors import CannotPlanError
from guardian_agent.host import FileState
from guardian_agent.host.name_files import PACKAGES
from guardian_agent.model import StepRecord
from guardian_agent.playbooks.path_repair.restore_resolver import RestoreResolver

RESOLV, HOSTS = "/etc/resolv.conf", "/etc/hosts"
GARBAGE = "<html><body>Please log in.</body></html>\n"
ASKED = situation(None, "dns_failure")

Picture = dict[str, tuple[FileState | None, str | None]]


async def good_host() -> FakeHost:
    """A host that was seen when names resolved."""
    host = FakeHost()
    host.files.put(RESOLV, "nameserver 198.18.0.1\n")
    host.files.put(HOSTS, "127.0.0.1 localhost\n")
    host.files.put(PACKAGES, "", modified_wall_s=1_700_000_000.0)
    host.known.good = await sight(host, Interests())
    return host


def picture(host: FakeHost) -> Picture:
    """The two files, without when they were written."""
    found: Picture = {}
    for path in (RESOLV, HOSTS):
        state = host.files.states.get(path)
        still = msgspec.structs.replace(state, modified_wall_ns=0) if state else None
        found[path] = (still, host.files.contents.get(path))
    return found


async def restored(host: FakeHost) -> list[StepRecord]:
    steps = await RestoreResolver().dry_run(ASKED, host)
    await RestoreResolver().execute(steps, host, NoJournal(), 120.0)
    return steps


async def test_only_what_differs_is_put_back_and_undoing_brings_back_what_was_found() -> None:
    host = await good_host()
    good = picture(host)
    host.files.put(RESOLV, GARBAGE)
    bad = picture(host)
    steps = await restored(host)
    assert [step.describe for step in steps] == example_steps("restore_resolver")
    assert picture(host) == good
    await RestoreResolver().rollback(steps, host, NoJournal(), 120.0)
    assert picture(host) == bad


async def test_both_files_are_put_back_where_both_differ_and_the_findings_say_how() -> None:
    host = await good_host()
    good = picture(host)
    host.files.remove(RESOLV)
    host.files.put(HOSTS, "198.18.255.253 hub.bed\n")
    bad = picture(host)
    plan = await RestoreResolver().plan(ASKED, host)
    assert plan.findings[RESOLV]["found"] == "nothing" and plan.findings[HOSTS]["good"].startswith("20 bytes")
    steps = await restored(host)
    assert picture(host) == good
    await RestoreResolver().rollback(steps, host, NoJournal(), 120.0)
    assert picture(host) == bad


async def test_a_link_that_became_a_file_is_the_same_link_again() -> None:
    host = await good_host()
    host.files.remove(RESOLV)
    host.files.link(RESOLV, "../run/systemd/resolve/stub-resolv.conf")
    host.known.good = await sight(host, Interests())
    good = picture(host)
    host.files.remove(RESOLV)
    host.files.put(RESOLV, GARBAGE)
    bad = picture(host)
    steps = await restored(host)
    assert [step.describe for step in steps] == ["ln -sfn ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf"]
    assert picture(host) == good
    await RestoreResolver().rollback(steps, host, NoJournal(), 120.0)
    assert picture(host) == bad


async def test_what_does_not_differ_is_the_name_servers_fault() -> None:
    with pytest.raises(CannotPlanError, match="the fault is the name server's"):
        await RestoreResolver().plan(ASKED, await good_host())


async def test_nothing_is_put_back_that_was_never_seen_good() -> None:
    with pytest.raises(CannotPlanError, match="was ever seen good"):
        await RestoreResolver().plan(ASKED, FakeHost())


async def test_packages_that_changed_may_have_meant_it() -> None:
    host = await good_host()
    host.files.put(RESOLV, GARBAGE)
    host.files.put(PACKAGES, "", modified_wall_s=1_700_000_001.0)
    with pytest.raises(CannotPlanError, match="packages were installed or removed"):
        await RestoreResolver().plan(ASKED, host)


@pytest.mark.parametrize("target", ["/etc/passwd", "../run/../etc/passwd", "/run/elsewhere"])
async def test_what_could_not_be_put_back_as_it_is_now_is_left(target: str) -> None:
    host = await good_host()
    host.files.remove(RESOLV)
    host.files.link(RESOLV, target)
    with pytest.raises(CannotPlanError, match="none that a resolver makes"):
        await RestoreResolver().plan(ASKED, host)


async def test_a_file_that_others_could_write_to_is_not_put_back() -> None:
    host = await good_host()
    host.files.states[HOSTS] = msgspec.structs.replace(host.files.states[HOSTS], mode=0o666)
    host.known.good = await sight(host, Interests())
    host.files.put(HOSTS, "")
    with pytest.raises(CannotPlanError, match="lets others write"):
        await RestoreResolver().plan(ASKED, host)
