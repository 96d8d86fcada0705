import ctypes
import os
import subprocess
from pathlib import Path

from guardian_agent.host.sessions import Session, all_stats, members, read_stat

PR_SET_NAME = 15


def test_a_name_that_looks_like_fields_does_not_confuse():
    before, name = read_stat(os.getpid()), Path("/proc/self/comm").read_bytes().strip()
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_NAME, b"a) R 1 (2) 3", 0, 0, 0)
    try:
        after = read_stat(os.getpid())
    finally:
        libc.prctl(PR_SET_NAME, name, 0, 0, 0)
    assert (after.pid, after.session, after.start_ticks) == (before.pid, os.getsid(0), before.start_ticks)
    assert after.alive


def test_no_process_has_no_stat():
    assert read_stat(2**22 + 1) is None


def test_we_are_among_all_processes():
    assert os.getpid() in {stat.pid for stat in all_stats()}


def test_a_leader_of_another_time_leads_another_session():
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as leader:
        try:
            stat = read_stat(leader.pid)
            ours = Session(stat.pid, stat.start_ticks, "")
            assert [member.pid for member in members(ours)] == [leader.pid]
            assert members(ours._replace(start_ticks=stat.start_ticks - 1)) == []
        finally:
            leader.kill()
