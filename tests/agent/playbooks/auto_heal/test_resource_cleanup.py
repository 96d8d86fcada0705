from typing import Any

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_resources import FOLDER
from tests.agent.healing.scene import WEB
from tests.agent.playbooks.pages import example_steps
from tests.agent.playbooks.situations import situation
from tests.agent.playbooks.test_playbooks import NoJournal

from guardian_agent.errors import CannotPlanError, ProbeError
from guardian_agent.host.questions import HeldFile, ListCleaned, ListHeldFiles, ListRemovable
from guardian_agent.model import StepRecord
from guardian_agent.playbooks.auto_heal.resource_cleanup import ResourceCleanup
from guardian_agent.playbooks.base import Plan, Situation

PLAYBOOK = ResourceCleanup(allow=(FOLDER,), target_free_ratio=0.2, journal_keep_bytes=1 << 20)


def full(issue_type: str = "disk_full", **what: Any) -> Situation:
    return situation(None, issue_type, evidence={"mount": "/srv/data"}, **what)


def host_with(**files: tuple[int, int]) -> FakeHost:
    """A full disk with files, by their size and age."""
    host = FakeHost()
    host.disk.mount(left_inodes=50)
    for name, (size_bytes, age) in files.items():
        host.disk.add(name.replace("_", "."), size_bytes, age)
    return host


async def plan(host: FakeHost, asked: Situation | None = None, playbook: ResourceCleanup = PLAYBOOK) -> Plan:
    return await playbook.plan(asked or full(), host)


async def steps(host: FakeHost, asked: Situation | None = None) -> list[str]:
    return [record.describe for record in await records(host, asked)]


async def records(host: FakeHost, asked: Situation | None = None) -> list[StepRecord]:
    return await PLAYBOOK.dry_run(asked or full(), host)


async def test_the_oldest_files_go_until_there_is_room_again():
    host = host_with(new_dump=(100, 1), old_dump=(150, 9), older_dump=(60, 10), never_dump=(500, 2))
    assert await steps(host) == [f"rm in {FOLDER}: 2 files of 210 bytes, for good: older.dump, old.dump"]
    await PLAYBOOK.execute(await records(host), host, NoJournal(), 10.0)
    assert sorted(host.disk.files) == ["never.dump", "new.dump"]
    after = await PLAYBOOK.evidence_after(full(), host)
    assert (after["available_bytes_after"], after["inodes_available_after"]) == (210, 52)


async def test_the_record_says_what_really_went_and_what_was_spared_and_why():
    host = host_with(old_dump=(150, 9), older_dump=(60, 10))
    planned = await records(host)
    host.disk.in_use.add("old.dump")
    await PLAYBOOK.execute(planned, host, NoJournal(), 10.0)
    after = await PLAYBOOK.evidence_after(full(), host)
    assert (after["deleted"], after["deleted_count"], after["deleted_bytes"]) == ([f"{FOLDER}/older.dump"], 1, 60)
    assert (after["spared"], after["spared_count"]) == ({f"{FOLDER}/old.dump": "is open"}, 1)
    host.answers[ListCleaned] = ProbeError("nobody knows")
    assert "deleted" not in await PLAYBOOK.evidence_after(full(), host)


async def test_a_log_that_is_too_large_to_be_compressed_in_time_is_not():
    host = host_with(web_log_1=(2 << 30, 3))
    assert await steps(host) == [f"rm in {FOLDER}: 1 files of {2 << 30} bytes, for good: web.log.1"]


async def test_what_is_configured_twice_is_asked_for_once():
    host = host_with(a_dump=(300, 9))
    asked: list[ListRemovable] = []
    told = host.disk.removable
    host.answers[ListRemovable] = lambda question: asked.append(question) or told(question)
    twice = ResourceCleanup(allow=(FOLDER, FOLDER), names=("*.dump", "*.dump"))
    await plan(host, playbook=twice)
    assert (asked[0].folders, asked[0].names) == ((FOLDER,), ("*.dump",))


async def test_the_plan_is_a_manifest():
    host = host_with(a_dump=(150, 9), b_dump=(60, 8))
    host.disk.spared_open = 3
    findings = (await plan(host)).findings
    assert findings["to_delete"] == [f"{FOLDER}/a.dump", f"{FOLDER}/b.dump"]
    assert (findings["to_delete_count"], findings["to_delete_bytes"], findings["spared_open"]) == (2, 210, 3)
    assert (findings["mount"], findings["missing"]) == ("/srv/data", "200 bytes")


async def test_out_of_inodes_files_count_and_not_their_size():
    host = FakeHost()
    host.disk.mount(left_bytes=900, left_inodes=17)
    for number in range(9):
        host.disk.add(f"session-{number}.tmp", 0, number)
    shown = "session-8.tmp, session-7.tmp, session-6.tmp"
    assert await steps(host, full("inode_exhausted")) == [f"rm in {FOLDER}: 3 files of 0 bytes, for good: {shown}"]


async def test_rotated_logs_are_compressed_where_that_is_enough_and_come_back_when_it_did_not_help():
    host = host_with(web_log_1=(200, 3), web_log_2_gz=(100, 9))
    before = dict(host.disk.files)
    planned = await records(host)
    assert [step.describe for step in planned] == [
        f"gzip {FOLDER}/web.log.1",
        f"rm in {FOLDER}: 1 files of 100 bytes, for good: web.log.2.gz",
    ]
    await PLAYBOOK.execute(planned[:1], host, NoJournal(), 10.0)
    assert "web.log.1.gz" in host.disk.files
    await PLAYBOOK.rollback(planned[:1], host, NoJournal(), 10.0)
    assert host.disk.files == before


async def test_rotated_logs_are_deleted_where_compressing_would_not_do():
    host = host_with(web_log_1=(200, 3))
    host.disk.journal_bytes = 0
    host.files.mounted[-1] = msgspec.structs.replace(host.files.mounted[-1], size_bytes=10_000)
    assert await steps(host) == [f"rm in {FOLDER}: 1 files of 200 bytes, for good: web.log.1"]


async def test_the_journal_is_vacuumed_first_where_it_lies_there_and_is_large():
    host = host_with(a_dump=(150, 9))
    host.disk.journal_bytes = (1 << 20) + 100
    assert (await steps(host))[0] == "journalctl --vacuum-size=1048576, for good"
    host.disk.journal_bytes = 1 << 20
    assert not any("journalctl" in step for step in await steps(host))


async def test_many_files_are_several_operations():
    host = FakeHost()
    host.disk.mount()
    for number in range(450):
        host.disk.add(f"{number}.tmp", 1, number)
    host.files.mounted[-1] = msgspec.structs.replace(host.files.mounted[-1], size_bytes=100_000)
    planned = await plan(host)
    assert [len(step.do.files) for step in planned.steps] == [200, 200, 50]
    assert len(planned.findings["to_delete"]) == 200 and planned.findings["to_delete_count"] == 450


def held(unit: str, size_bytes: int) -> HeldFile:
    return HeldFile(pid=7, program="web", unit=unit, name="/srv/data/log", allocated_bytes=size_bytes)


async def test_a_component_that_holds_deleted_files_is_restarted_last_and_for_good():
    host = host_with(a_dump=(50, 9))
    host.disk.held = [held("nginx.service", 15), held("nginx.service", 15), held("stranger.service", 900)]
    planned = await plan(host, full(components=(WEB,)))
    assert [step.do.describe() for step in planned.steps][-1] == "systemctl restart nginx.service"
    assert planned.steps[-1].undo is None
    assert planned.findings["held_deleted"][0]["unit"] == "nginx.service"


async def test_nobody_is_restarted_for_little_or_protected_or_for_inodes():
    host = host_with(a_dump=(300, 9))
    host.disk.held = [held("nginx.service", 19)]
    assert len(await steps(host, full(components=(WEB,)))) == 1
    host.disk.held = [held("nginx.service", 900)]
    assert len(await steps(host, full(components=(WEB,), protected=frozenset({"nginx.service"})))) == 1
    host.files.mounted[-1] = msgspec.structs.replace(host.files.mounted[-1], inodes_available=0)
    assert len(await steps(host, full("inode_exhausted", components=(WEB,)))) == 1


async def test_it_says_who_holds_the_room_where_nothing_may_go():
    host = host_with()
    host.disk.held = [held("stranger.service", 900)]
    host.disk.spared_open = 2
    with pytest.raises(CannotPlanError, match=r"2 that could go are open; 900 bytes are held by stranger\.service"):
        await plan(host)


@pytest.mark.parametrize("mount", [None, "/srv/other"])
async def test_a_disk_that_is_not_there_any_more_is_not_cleaned(mount):
    host = host_with(a_dump=(300, 9))
    evidence = {"mount": mount} if mount else {}
    with pytest.raises(CannotPlanError, match=r"mounted at|named full"):
        await plan(host, situation(None, "disk_full", evidence=evidence))


@pytest.mark.parametrize(
    "folder", ["/", "/etc", "/var", "/var/lib", "/home/alice", "/usr/share", "/srv/../etc", "srv/a"]
)
async def test_a_folder_that_is_too_much_is_refused(folder):
    with pytest.raises(CannotPlanError, match=r"resource_cleanup\.allow"):
        await plan(host_with(a_dump=(300, 9)), playbook=ResourceCleanup(allow=(folder,)))


async def test_without_root_nothing_is_planned_and_without_word_of_held_files_it_is():
    host = host_with(a_dump=(300, 9))
    host.answers[ListHeldFiles] = ProbeError("it took too long")
    assert len(await steps(host)) == 1
    host.answers[ListRemovable] = ProbeError("nobody here is root")
    with pytest.raises(ProbeError):
        await plan(host)


async def test_the_example_of_its_page_is_what_it_does():
    host = host_with(shop_log_1=(100, 3), shop_log_2_gz=(60, 9), core_dump=(70, 8))
    host.disk.held = [held("nginx.service", 500)]
    assert await steps(host, full(components=(WEB,))) == example_steps("resource_cleanup")
