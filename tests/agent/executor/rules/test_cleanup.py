"""The agent is in an enemy's hands: it sends whatever it likes."""

import math
from pathlib import Path
from typing import Any

import pytest
from tests.agent.executor.rules.policies import policy_with
from tests.agent.fake_resources import old_file

from guardian_agent.config import DEFAULT_FILE, EXECUTOR_SOCKET
from guardian_agent.executor import audit, rules
from guardian_agent.host.as_root import cleaned, compressing, secrets
from guardian_agent.host.operations import CompressFile, DecompressFile, DeleteFiles, VacuumJournal
from guardian_agent.host.operations.artifacts import QUARANTINE
from guardian_agent.host.operations.cleanup import GUARDIANS_OWN, beneath
from guardian_agent.host.port_holders import STOPPED
from guardian_agent.host.questions import ListCleaned, ListHeldFiles, ListRemovable
from guardian_agent.integrity import EXECUTOR_AUDIT

SETTINGS = {
    "resource_cleanup": {
        "allow": ("/srv/data", "/etc", "/var/lib/guardian-agent/old"),
        "names": ("*.log.1", "*.gz"),
        "min_age_s": 60.0,
        "journal_keep_bytes": 1000,
    }
}
POLICY = policy_with(SETTINGS)


def delete(*paths: str, folder: str = "/srv/data/old", min_age_s: float = 60.0) -> DeleteFiles:
    return DeleteFiles(folder, tuple(old_file(path, 1, 1) for path in paths), min_age_s)


@pytest.mark.parametrize(
    "operation",
    [
        delete("a.log.1", "deep/b.gz"),
        delete("a.gz", folder="/srv/data", min_age_s=1e6),
        CompressFile("/srv/data", old_file("a.log.1", 1, 1), 60.0),
        DecompressFile("/srv/data", "a.log.1"),
        VacuumJournal(1000),
    ],
)
def test_what_the_operator_allows_is_done(operation: Any) -> None:
    assert rules.refusal(operation, POLICY) == ""


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (delete("a.gz", folder="/srv"), "too much"),
        (delete("a.gz", folder="/srv/data2"), "is not below a folder"),
        (delete("a.gz", folder="/srv/data/../../etc"), "plain path"),
        (delete("a.gz", folder="srv/data"), "plain path"),
        (delete("a.gz", folder="/etc"), "the system's own"),
        (delete("a.gz", folder="/var/lib/guardian-agent/old"), "own"),
        (delete("../a.gz"), "plain path"),
        (delete("b/../../a.gz"), "plain path"),
        (delete("/etc/a.gz"), "plain path"),
        (delete("passwd"), "none of the names"),
        (delete("a.gz", "b.txt"), "none of the names"),
        (delete("a.gz", min_age_s=59.0), "younger than 60 s"),
        (delete("a.gz", min_age_s=math.nan), "younger than 60 s"),
        (delete(), "0 files"),
        (delete(*(f"{at}.gz" for at in range(201))), "201 files"),
        (CompressFile("/srv/data", old_file("a.gz", 1, 1), 60.0), "as a rotated log"),
        (CompressFile("/srv/data", old_file("a.log.1", 1, 1), 1.0), "younger than 60 s"),
        (DecompressFile("/etc", "a.log.1"), "the system's own"),
        (DecompressFile("/srv/data", "cron.d/x"), "none of the names"),
        (VacuumJournal(999), "1000 bytes"),
    ],
)
def test_what_the_operator_does_not_allow_is_refused(operation: Any, reason: str) -> None:
    assert reason in rules.refusal(operation, POLICY)


def test_it_is_refused_where_the_playbook_does_not_run_or_the_folder_is_guardians_own() -> None:
    assert "enabled is false" in rules.refusal(delete("a.gz"), policy_with(SETTINGS, enabled=False))
    own = policy_with(SETTINGS, state_dir=Path("/srv/data/old/agent"))
    assert rules.refusal(delete("a.gz"), own) == ""
    for inside in (delete("agent/a.gz"), delete("a.gz", folder="/srv/data/old/agent")):
        assert "Guardian's own" in rules.refusal(inside, own)


LOGS = policy_with({"resource_cleanup": {"allow": ("/var/log", "/var/lib/shop"), "names": ("*",), "min_age_s": 60.0}})


@pytest.mark.parametrize(
    "operation",
    [
        delete("guardian/executor.jsonl.1", folder="/var/log"),
        delete("a.log.1", "guardian/deep/x.1", folder="/var/log"),
        delete("executor.jsonl.1", folder="/var/log/guardian"),
        CompressFile("/var/log", old_file("guardian/executor.jsonl.1", 1, 1), 60.0),
        CompressFile("/var/log/guardian", old_file("executor.jsonl.1", 1, 1), 60.0),
        DecompressFile("/var/log", "guardian/executor.jsonl.1"),
    ],
)
def test_guardians_own_logs_are_never_cleaned(operation: Any) -> None:
    assert "own" in rules.refusal(operation, LOGS)
    assert rules.refusal(delete("guardian2/a.1", "guardian.1", folder="/var/log"), LOGS) == ""


def test_all_that_is_guardians_own_is_known_as_such() -> None:
    files = (audit.FILE, QUARANTINE, secrets.ASIDE, compressing.FOLDER, cleaned.FOLDER, DEFAULT_FILE, STOPPED)
    for path in (*files, EXECUTOR_SOCKET, EXECUTOR_AUDIT, "/var/lib/guardian-agent/state.db", "/etc/guardian/hold"):
        assert any(beneath(str(path), own) for own in GUARDIANS_OWN)


def ask(mount: str = "/srv", folders: tuple[str, ...] = ("/srv/data",), **more: Any) -> ListRemovable:
    narrow: dict[str, Any] = {"names": ("*.gz",), "min_age_s": 60.0, "most": 10}
    return ListRemovable(mount, folders, **(narrow | more))


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (ask(), ""),
        (ask("/"), ""),
        (ask(names=("*.gz", "*.log.1"), min_age_s=1e6), ""),
        (ListHeldFiles("/srv"), ""),
        (ListCleaned(0), ""),
        (ask(folders=("/root",)), "does not name"),
        (ask(folders=("/etc",)), "the system's own"),
        (ask(folders=("/srv/data", "/srv/data")), "named twice"),
        (ask(folders=("/srv/data",) * 40_000), "named twice"),
        (ask(names=("*",)), "does not name"),
        (ask(names=("*.gz", "*.gz")), "named twice"),
        (ask(min_age_s=59.0), "younger than 60 s"),
        (ask(min_age_s=math.nan), "younger than 60 s"),
        (ask("/srv/../root"), "plain path"),
        (ListHeldFiles("srv"), "plain path"),
        (ListHeldFiles("/srv", most=1_000_000), "at most"),
        (ListHeldFiles("/srv", most=-1), "at most"),
        (ask(most=1_000_000), "at most"),
    ],
)
def test_only_what_is_configured_is_told_of(question: Any, reason: str) -> None:
    told = rules.refusal_to_tell(question, POLICY)
    assert (reason in told) if reason else (told == "")
