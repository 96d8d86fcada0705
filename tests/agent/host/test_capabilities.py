"""What programs get of the agent's privileges: tried by a user who has one ambient capability (needs root)."""

import json
import os
import shutil
import subprocess
import sys

import pytest

CAP_NET_RAW = 1 << 13
CHILD = """
import json, os, socket, sys, threading
from pathlib import Path
from guardian_agent.host import capabilities
from guardian_agent.host.sessions import spawn

def of(text):
    return {name: int(value, 16) for name, value in (line.split(":") for line in text.splitlines() if "Cap" in line)}

def started():
    reading, writing = os.pipe()
    spawn(("cat", "/proc/self/status"), output=writing)
    os.close(writing)
    with open(reading) as told:
        children.append(of(told.read()))

children = []
if sys.argv[1] == "kept":
    assert capabilities.keep_from_children()
started()
other = threading.Thread(target=started)
other.start()
other.join()
socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0).close()
print(json.dumps([of(Path("/proc/self/status").read_text()), *children]))
"""


def with_a_capability(what: str) -> list[dict[str, int]]:
    """The capabilities of a process with an ambient CAP_NET_RAW, and of programs that two of its threads start."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("gives a process a capability, so needs root and setpriv")
    user = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+net_raw", "--ambient-caps=+net_raw"]
    argv = ["setpriv", *user, sys.executable, "-c", CHILD, what]
    told = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout
    found: list[dict[str, int]] = json.loads(told)
    return found


def test_the_agent_keeps_what_its_programs_do_not_get() -> None:
    agent, *programs = with_a_capability("kept")
    assert agent["CapEff"] == agent["CapPrm"] == CAP_NET_RAW and agent["CapAmb"] == 0
    assert [(program["CapEff"], program["CapPrm"], program["CapAmb"]) for program in programs] == [(0, 0, 0)] * 2


def test_without_that_they_would_have_it() -> None:
    assert [program["CapEff"] for program in with_a_capability("given on")] == [CAP_NET_RAW] * 3
