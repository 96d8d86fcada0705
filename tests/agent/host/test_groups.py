"""What runs in a control group: folders that look like groups, since real ones are systemd's."""

import os
import signal
import subprocess
import time

import pytest

from guardian_agent.host.groups import control_group, processes_of, unit_of
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


def test_the_control_group_of_a_process_is_that_of_version_2_or_systemds_own(tmp_path):
    groups = {
        1: "0::/init.scope\n",
        2: "3:pids:/elsewhere\n1:name=systemd:/system.slice/web.service\n0::/system.slice/web.service/below\n",
        3: "3:pids:/elsewhere\n1:name=systemd:/system.slice/a:b.service\n",
        4: "0::/\n",
    }
    for pid, text in groups.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cgroup").write_text(text)
    found = [control_group(pid, tmp_path) for pid in (*groups, 5)]
    assert found == ["/init.scope", "/system.slice/web.service/below", "/system.slice/a:b.service", "/", ""]


@pytest.mark.parametrize(
    ("group", "unit"),
    [
        ("/system.slice/nginx.service", "nginx.service"),
        ("/system.slice/a.slice/nginx@1.service/worker", "nginx@1.service"),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service", "user@1000.service"),
        ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope"),
        ("/init.scope", "init.scope"),
        ("/docker/4711", ""),
        ("/docker/4711/system.slice/nginx.service", ""),
        ("/", ""),
        ("", ""),
    ],
)
def test_the_unit_of_a_control_group_is_the_outermost(group: str, unit: str) -> None:
    assert unit_of(group) == unit


def test_a_control_group_with_whatever_name_is_told(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7/cgroup").write_bytes("0::/user.slice/a\u2028b".encode() + b"\xff\n")
    assert control_group(7, tmp_path) == "/user.slice/a\u2028b\ufffd"
