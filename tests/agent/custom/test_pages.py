"""docs/write-a-probe.md and docs/write-a-playbook.md, followed to the letter."""

import importlib.metadata
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
COMMANDS = {"/usr/local/bin": "bin"}  # where the pages put programs, and where they are here


class Followed:
    """A page whose files were all written down where it says, below a folder."""

    def __init__(self, page: str, folder: Path) -> None:
        self.folder = folder
        self.blocks = BLOCK.findall((DOCS / page).read_text())
        for _, name, text in self.blocks:
            if name:
                self._write(name, text)
        self.spool = folder / "spool"
        self.spool.mkdir()

    def _write(self, name: str, text: str) -> None:
        for there, here in COMMANDS.items():
            name, text = name.replace(there, here), text.replace(f"{there}/", f"{self.folder}/{here}/")
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("/var/spool/worker", f"{self.folder}/spool"))
        path.chmod(0o755)

    @property
    def typed(self) -> list[list[str]]:
        """The commands that the page has one type."""
        lines = [line for kind, _, text in self.blocks if kind == "console" for line in text.splitlines()]
        return [shlex.split(line.removeprefix("$ ")) for line in lines]

    def install(self, group: str) -> None:
        """As pip would, by a folder with the package's entry points beside the package."""
        told = (self.folder / "pyproject.toml").read_text()
        (entry,) = re.findall(r"^(\w+) = \"(worker_\w+\..*)\"$", told, flags=re.MULTILINE)
        (name,) = re.findall(r"^name = \"([\w-]+)\"$", told, flags=re.MULTILINE)
        assert f'[project.entry-points."{group}"]' in told
        info = self.folder / f"{name.replace('-', '_')}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{entry[0]} = {entry[1]}\n")
        assert [dist.name for dist in importlib.metadata.distributions(path=[str(self.folder)])] == [name]

    def run(self, *argv: str, config: str = "agent.toml") -> subprocess.CompletedProcess[str]:
        assert argv[0] == "guardian-agent"
        here = os.pathsep.join([str(self.folder), *sys.path])
        typed = [*argv[1:], "--config", str(self.folder / config)]
        return subprocess.run(
            [sys.executable, "-c", f"from guardian_agent.cli import main; main({typed!r})"],
            check=False,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": here},
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def follow(tmp_path):
    def follow(page: str) -> Followed:
        followed = Followed(page, tmp_path)
        with (tmp_path / "agent.toml").open("a") as file:
            file.write(f'[agent]\nstate_dir = "{tmp_path}/state"\nhost_probes = false\n')
        return followed

    return follow


def test_the_command_of_the_page_is_a_probe(follow):
    page = follow("write-a-probe.md")
    check, probe = page.typed
    assert (page.run(*check).returncode, page.run(*probe).returncode) == (0, 0)
    for number in range(100):
        (page.spool / str(number)).touch()
    said = page.run(*probe, "--json")
    assert said.returncode == 1, said.stderr
    (answer,) = json.loads(said.stdout)["probes"]
    assert (answer["probe"], answer["target"], answer["layer"]) == ("l7_queue_depth", "worker", "application")
    assert answer["issue_type"] == "queue_stuck" and "100 jobs wait for worker" in answer["finding"]
    page.spool.rename(page.spool.with_name("elsewhere"))
    (answer,) = json.loads(page.run(*probe, "--json").stdout)["probes"]
    assert answer["ok"] is None and "No such file" in answer["finding"]


def test_the_class_of_the_page_is_a_probe(follow):
    page = follow("write-a-probe.md")
    page.install("guardian.probes")
    os.utime(page.spool, (0, 0))
    said = page.run("guardian-agent", "probe", "l7_queue_age", "--json")
    assert said.returncode == 1, said.stderr
    (answer,) = json.loads(said.stdout)["probes"]
    assert (answer["probe"], answer["issue_type"]) == ("l7_queue_age", "queue_stuck")
    with (page.folder / "agent.toml").open("a") as file:
        file.write("[probes.l7_queue_age]\nmost_s = 1e12\n")
    assert page.run("guardian-agent", "probe", "l7_queue_age").returncode == 0


def test_a_component_that_only_the_class_of_the_page_looks_at_is_watched(follow):
    page = follow("write-a-probe.md")
    page.install("guardian.probes")
    for name, watched in (("worker", True), ("other", False)):
        (page.folder / "agent.toml").write_text(f'[[component]]\nname = "{name}"\n')
        said = page.run("guardian-agent", "check-config")
        assert said.returncode == 0 and ("nothing of it is watched" not in said.stderr) is watched


def test_a_probe_that_cannot_be_loaded_keeps_the_agent_from_starting_and_says_why(follow):
    page = follow("write-a-probe.md")
    page.install("guardian.probes")
    (page.folder / "worker_probes/l7_queue_age.py").write_text("import nothing_like_it\n")
    said = page.run("guardian-agent", "check-config")
    assert said.returncode == 78
    assert "guardian.probes l7_queue_age of worker-probes" in said.stderr and "nothing_like_it" in said.stderr
    assert "Traceback" not in said.stderr


def test_the_command_of_the_page_is_a_playbook_that_can_be_taken_back(follow):
    page = follow("write-a-playbook.md")
    check, dry_run = page.typed
    assert page.run(*check).returncode == 0
    for job in ("1", "2"):
        (page.spool / job).touch()
    said = page.run(*dry_run)
    assert f"1. {page.folder}/bin/skip-job" in said.stdout, said.stderr
    assert f"undone by: {page.folder}/bin/unskip-job" in said.stdout
    assert sorted(path.name for path in page.spool.iterdir()) == ["1", "2"]
    healed = [("skip-job", "a", ["2"])]  # and stays so, whatever is taken back of the incident after it
    failed = [("skip-job", "b", []), ("unskip-job", "b", ["2"]), ("unskip-job", "b", ["2"])]
    for program, incident, left in [*healed, *failed]:
        env = {"PATH": "/usr/bin:/bin", "GUARDIAN_INCIDENT": incident}
        subprocess.run([page.folder / "bin" / program], check=True, env=env)
        assert sorted(path.name for path in page.spool.iterdir()) == left


def test_the_class_of_the_page_is_a_playbook(follow):
    page = follow("write-a-playbook.md")
    page.install("guardian.playbooks")
    with (page.folder / "agent.toml").open("a") as file:
        file.write("[playbooks.restart_worker]\nmost_attempts = 2\ntier = 2\n")
    assert page.run("guardian-agent", "check-config").returncode == 0
    said = page.run("guardian-agent", "playbook", "restart_worker", "--dry-run", "--component", "worker")
    assert said.returncode == 1 and "restart_worker would do nothing" in said.stderr
    with (page.folder / "agent.toml").open("a") as file:
        file.write("most_attempts_ever = 2\n")
    assert "most_attempts_ever" in page.run("guardian-agent", "check-config").stderr
