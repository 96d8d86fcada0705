import pytest

from guardian_agent.config import load
from guardian_agent.declared import DeclaredPlaybook, DeclaredProbe
from guardian_agent.errors import ConfigError
from guardian_agent.model import Layer

PROBE = '[probes.l7_depth]\ncommand = ["depth"]\nissue_type = "queue_stuck"\n'
PLAYBOOK = '[playbooks.skip_job]\nheals = ["queue_stuck"]\nexecute = ["skip"]\n'


@pytest.fixture
def read(tmp_path):
    def read(text: str):
        path = tmp_path / "agent.toml"
        path.write_text(text)
        return load(path, probe_fields={}, playbook_fields={}, issue_types=("http_error",))

    return read


def test_all_that_can_be_said_is_read(read):
    config = read(
        '[[component]]\nname = "worker"\nunit = "w.service"\n'
        f'{PROBE}component = "worker"\nfall = 3\n{PLAYBOOK}rollback = ["back"]\ncheck = ["may"]\ntimeout_s = 5\n'
    )
    assert config.declared_probes == (
        DeclaredProbe(id="l7_depth", command=("depth",), issue_type="queue_stuck", component="worker"),
    )
    assert config.declared_probes[0].layer == Layer.APPLICATION and config.probes["l7_depth"].fall == 3
    assert config.declared_playbooks == (
        DeclaredPlaybook(
            id="skip_job",
            heals=("queue_stuck",),
            execute=("skip",),
            rollback=("back",),
            check=("may",),
            timeout_s=5.0,
        ),
    )
    assert read(f'{PROBE}{PLAYBOOK}[ladders]\nqueue_stuck = ["skip_job"]\n').ladders == {"queue_stuck": ("skip_job",)}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (PROBE.replace("l7_depth", "depth"), ":1: probes.depth: must begin with its layer"),
        (PROBE.replace("l7_depth", "l8_depth"), ":1: probes.l8_depth: must begin with its layer"),
        (
            PROBE.replace('"queue_stuck"', '"Queue stuck"'),
            ':3: probes.l7_depth.issue_type: must look like "queue_stuck"',
        ),
        (PROBE.replace('["depth"]', "[]"), ":2: probes.l7_depth.command:"),
        (PROBE.replace('"depth"', '"bin/depth"'), ":2: probes.l7_depth.command: item 1: must be an absolute path"),
        (PROBE + PLAYBOOK.replace('"skip"', '""'), ":6: playbooks.skip_job.execute: item 1: must name a program"),
        (PROBE + PLAYBOOK + 'check = ["./may"]\n', ":7: playbooks.skip_job.check: item 1: must be an absolute path"),
        (PROBE.replace('["depth"]', '"depth"'), ":2: probes.l7_depth.command:"),
        ('[probes.l7_depth]\ncommand = ["depth"]\n', ':1: probes.l7_depth: key "issue_type" is missing'),
        (PROBE + 'component = "walker"\n', ':4: probes.l7_depth.component: no component "walker"'),
        (PROBE + "heals = []\n", ':4: probes.l7_depth: no key "heals"'),
        (PROBE + PLAYBOOK.replace("skip_job", "Skip"), ":4: playbooks.Skip: must be two words or more"),
        (PLAYBOOK, ':2: playbooks.skip_job.heals: item 1: no probe reports "queue_stuck"'),
        (PROBE + PLAYBOOK.replace('["queue_stuck"]', "[]"), ":5: playbooks.skip_job.heals:"),
        ('[playbooks.skip_job]\nexecute = ["skip"]\n', ':1: playbooks.skip_job: key "heals" is missing'),
        (
            PROBE + PLAYBOOK.replace('execute = ["skip"]', 'rollback = ["back"]'),
            ':4: playbooks.skip_job: key "execute" is missing: what a playbook of your own runs',
        ),
        (
            PROBE.replace('command = ["depth"]', "interval_s = 3"),
            ':1: probes.l7_depth: key "command" is missing: what a probe of your own runs',
        ),
        (PROBE + PLAYBOOK + "tier = 0\n", ":7: playbooks.skip_job.tier: must be 1, 2 or 3 for a playbook that acts"),
        (PROBE + PLAYBOOK + "timeout_s = 0\n", ":7: playbooks.skip_job.timeout_s:"),
        ("[probes.l7_depth]\ninterval_s = 3\n", ':1: probes: no probe "l7_depth"'),
    ],
)
def test_what_is_wrong_is_told_with_its_line(read, text, line):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert any(line in problem for problem in caught.value.problems), caught.value.problems


def test_a_playbook_with_something_missing_is_one_problem_and_still_known_to_the_ladders(read):
    with pytest.raises(ConfigError) as caught:
        read(f'{PROBE}[playbooks.skip_job]\nheals = ["queue_stuck"]\n[ladders]\nqueue_stuck = ["skip_job"]\n')
    assert len(caught.value.problems) == 1
