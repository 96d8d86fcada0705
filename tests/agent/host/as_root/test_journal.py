import stat
from pathlib import Path

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host.as_root import journal
from guardian_agent.host.questions import ReadJournal, ReadKernelMessages


def stand_in(folder: Path, script: str) -> str:
    """A journalctl that does what a test says."""
    path = folder / "journalctl"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def journalctl(tmp_path, monkeypatch):
    def put(script: str) -> None:
        monkeypatch.setattr(journal, "JOURNALCTL", stand_in(tmp_path, script))

    return put


async def test_it_asks_for_one_unit_and_tells_its_lines(journalctl, monkeypatch):
    monkeypatch.setenv("SECRET_OF_OURS", "x")
    journalctl('echo "$@"; /usr/bin/env; echo last')
    told = await journal.read(ReadJournal("web.service", 7))
    assert told[0] == "--no-pager --quiet --output=short-iso --unit=web.service --lines=7"
    assert told[-1] == "last" and not any("SECRET_OF_OURS" in line for line in told)
    assert (await journal.read(ReadKernelMessages(10**9)))[0].endswith("--dmesg --lines=1000")


@pytest.mark.parametrize("unit", ["*", "web*.service", "", "-x", "a b", "web.service\n", "[ab].service"])
async def test_a_pattern_is_no_unit(journalctl, unit):
    journalctl("echo never")
    with pytest.raises(ProbeError, match="not a unit's name"):
        await journal.read(ReadJournal(unit))


async def test_of_a_long_journal_the_newest_whole_lines_are_told(journalctl, monkeypatch):
    monkeypatch.setattr(journal, "MOST_BYTES", 1000)
    journalctl("i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done")
    told = await journal.read(ReadJournal("web.service"))
    assert told[-1] == "line 499" and all(line.startswith("line ") for line in told) and len(told) < 125


async def test_one_that_fails_or_does_not_end_cannot_tell(journalctl, monkeypatch):
    journalctl("exit 3")
    with pytest.raises(ProbeError, match="ended with exit code 3"):
        await journal.read(ReadJournal("web.service"))
    monkeypatch.setattr(journal, "LIMIT_S", 0.2)
    journalctl("exec sleep 60")
    with pytest.raises(ProbeError, match=r"no answer within 0\.2 s"):
        await journal.read(ReadJournal("web.service"))
    monkeypatch.setattr(journal, "JOURNALCTL", "/nowhere/journalctl")
    with pytest.raises(ProbeError, match="No such file"):
        await journal.read(ReadKernelMessages())
