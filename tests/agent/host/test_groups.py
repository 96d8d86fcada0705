"""What runs in a control group: folders that look like groups, since real ones are systemd's."""

import os
import signal
import subprocess
import time

from guardian_agent.host.groups import processes_of
from guardian_agent.host.sessions import read_stat


def test_a_group_has_its_processes_and_those_of_the_groups_below_it(tmp_path):
    (tmp_path / "cgroup.procs").write_text(f"{os.getpid()}\n")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "cgroup.procs").write_text(f"{os.getppid()}\n")
    assert {process.pid for process in processes_of(str(tmp_path), 10)} == {os.getpid(), os.getppid()}
    assert [process.pid for process in processes_of(str(tmp_path), 1)] == [os.getpid()]


def test_what_has_gone_meanwhile_is_not_there(tmp_path):
    (tmp_path / "cgroup.procs").write_text("4194304\n")  # more than a pid can be
    (tmp_path / "threaded").mkdir()
    assert processes_of(str(tmp_path), 10) == []
    assert processes_of(str(tmp_path / "gone"), 10) == []


def test_a_stopped_process_is_told(tmp_path):
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        try:
            (tmp_path / "cgroup.procs").write_text(f"{sleeper.pid}\n")
            sleeper.send_signal(signal.SIGSTOP)
            deadline_s = time.monotonic() + 5
            while read_stat(sleeper.pid).status != "T" and time.monotonic() < deadline_s:
                time.sleep(0.01)
            assert [process.status for process in processes_of(str(tmp_path), 10)] == ["T"]
        finally:
            sleeper.kill()
