import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from guardian_agent import config
from guardian_agent.config import AgentConfig, ProbeSettings, is_loopback, load
from guardian_agent.errors import ConfigError
from guardian_agent.model import (
    Artifact,
    Certificate,
    Component,
    Endpoint,
    Health,
    Heartbeat,
    Mode,
    Releases,
    Schedule,
    Secret,
    Tier,
)


class NoKeys(msgspec.Struct):
    pass


class Gateway(msgspec.Struct):
    address: str | None = None
    count: int = 3


PROBES: dict[str, type[msgspec.Struct]] = {"l3_gateway": Gateway, "l7_http": NoKeys}
HEALS = {"restart_component": ("port_not_listening",), "restart_service": ("http_error",), "run_diagnostics": ()}
PLAYBOOKS: dict[str, type[msgspec.Struct]] = dict.fromkeys(HEALS, NoKeys)
ISSUE_TYPES = ("port_not_listening", "http_error")


@pytest.fixture
def read(tmp_path):
    def read(text: str, **options) -> AgentConfig:
        path = tmp_path / "agent.toml"
        path.write_text(text)
        known: dict[str, Any] = {
            "probe_fields": PROBES,
            "playbook_fields": PLAYBOOKS,
            "issue_types": ISSUE_TYPES,
            "heals": HEALS,
        }
        return load(path, **known, **options)

    return read


@pytest.fixture
def problems(read, tmp_path):
    def problems(text: str, **options) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(text, **options)
        return [line.replace(f"{tmp_path}/agent.toml", "", 1) for line in caught.value.problems]

    return problems


def test_an_empty_file_means_the_documented_defaults(read):
    assert read("") == AgentConfig(
        agent_id=socket.gethostname(),
        state_dir=Path("/var/lib/guardian-agent"),
        socket=Path("/var/lib/guardian-agent/agent.sock"),
        hold_file=Path("/etc/guardian/hold"),
        mode=Mode.OBSERVE,
        labels={},
        protected=config.ALWAYS_PROTECTED,
        actions_per_hour=6,
        host_probes=True,
        page_command=None,
        aggregator=None,
        components=(),
        probes={},
        playbooks={},
        ladders={},
        notices=(),
    )


def test_everything_that_can_be_said_is_read(read):
    found = read(
        """
        [agent]
        id = "web-1"
        state_dir = "/srv/guardian"
        mode = "heal"
        labels = { site = "ams", role = "web" }
        protected = ["sshd.service"]
        actions_per_hour = 3
        page_command = ["/usr/local/bin/page"]
        hold_file = "/srv/hold"
        socket = "/run/guardian.sock"
        executor_socket = "/run/executor.sock"
        [aggregator]
        address = "[::1]:7443"
        insecure = true
        [[component]]
        name = "web"
        unit = "nginx.service"
        listen = "tcp:0.0.0.0:80"
        depends_on = ["db", "tcp:10.0.0.5:5432"]
        health = { http = "http://127.0.0.1/", expect_status = [200, 204], timeout_s = 1.0, fall = 2, rise = 3 }
        drain = ["/usr/local/bin/drain", "web"]
        stop_grace_s = 0
        start_grace_s = 20.5
        heartbeat = { file = "/run/web/beat", max_age_s = 5 }
        releases = { folder = "/srv/web/releases", current = "/srv/web/current" }
        certificate = { file = "/etc/web/tls.pem", warn_days = 14, endpoint = "tcp:127.0.0.1:443", name = "web" }
        [[component.artifact]]
        path = "/usr/sbin/nginx"
        dpkg = true
        [[component.artifact]]
        path = "/etc/web.conf"
        sha256 = "abababababababababababababababababababababababababababababababab"
        good_copy = "/var/backups/web.conf"
        [[component.secret]]
        path = "/etc/web/token"
        max_age_s = 604800
        renew = ["/usr/local/bin/new-token"]
        check = ["/usr/local/bin/try-token"]
        reload = "nginx.service"
        [[component]]
        name = "db"
        command = ["db", "--port", "5432"]
        health = { grpc = "127.0.0.1:50051", grpc_service = "orders" }
        [[component]]
        name = "cache"
        health = { command = ["redis-cli", "ping"], timeout_s = 2 }
        [probes.l3_gateway]
        interval_s = 2
        count = 5
        [playbooks.restart_service]
        tier = 2
        cooldown_s = 60
        [ladders]
        port_not_listening = ["restart_component", "restart_service"]
        """
    )
    assert (found.agent_id, found.mode, found.labels) == ("web-1", Mode.HEAL, {"site": "ams", "role": "web"})
    assert (found.socket, found.hold_file) == (Path("/run/guardian.sock"), Path("/srv/hold"))
    assert found.executor_socket == Path("/run/executor.sock")
    assert {"sshd.service", "guardian-executor.service", "guardian-executor.socket"} <= set(found.protected)
    assert found.aggregator is not None and found.aggregator.address == "[::1]:7443"
    assert found.components == (
        Component(
            name="web",
            unit="nginx.service",
            listen=Endpoint("0.0.0.0", 80),
            health=Health(http="http://127.0.0.1/", expect_status=(200, 204), timeout_s=1, fall=2, rise=3),
            depends_on=("db", "tcp:10.0.0.5:5432"),
            drain=("/usr/local/bin/drain", "web"),
            stop_grace_s=0,
            start_grace_s=20.5,
            heartbeat=Heartbeat(file="/run/web/beat", max_age_s=5),
            releases=Releases(folder="/srv/web/releases", current="/srv/web/current"),
            certificate=Certificate(
                file="/etc/web/tls.pem", warn_days=14, endpoint=Endpoint("127.0.0.1", 443), name="web"
            ),
            artifacts=(
                Artifact(path="/usr/sbin/nginx", dpkg=True),
                Artifact(path="/etc/web.conf", sha256="ab" * 32, good_copy="/var/backups/web.conf"),
            ),
            secrets=(
                Secret(
                    path="/etc/web/token",
                    max_age_s=604800,
                    renew=("/usr/local/bin/new-token",),
                    check=("/usr/local/bin/try-token",),
                    reload="nginx.service",
                ),
            ),
        ),
        Component(
            name="db",
            command=("db", "--port", "5432"),
            health=Health(grpc=Endpoint("127.0.0.1", 50051), grpc_service="orders"),
        ),
        Component(name="cache", health=Health(command=("redis-cli", "ping"), timeout_s=2)),
    )
    assert found.probes == {"l3_gateway": ProbeSettings(interval_s=2, own={"count": 5})}
    assert found.playbooks["restart_service"].tier is Tier.ONE_APPROVER
    assert found.ladders == {"port_not_listening": ("restart_component", "restart_service")}


def test_the_lines_are_those_that_the_operators_were_promised(problems):
    text = "\n" * 10 + '[[component]]\nname = "web"\n\nlistens = "tcp:x:1"\n' + "\n" * 5
    text += "[probes.l3_gateway]\n\ninterval_s = 0\n"
    assert problems(text) == [
        ':14: component "web": no key "listens"; did you mean "listen"?',
        ":22: probes.l3_gateway.interval_s: must be at least 0.1, is 0",
    ]


def component(text: str) -> str:
    return f'[[component]]\nname = "web"\n{text}\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[agnet]", ':1: no key "agnet"; did you mean "agent"?'),
        (
            "[agent]\nmode = 'healing'",
            ':2: agent.mode: must be "observe" or "heal", is "healing"; did you mean "heal"?',
        ),
        ("[agent]\nid = 'a b'", ':2: agent.id: must be letters, digits, dots and dashes, is "a b"'),
        ("[agent]\nstate_dir = 'x'", ':2: agent.state_dir: must be an absolute path, is "x"'),
        ("[agent]\nsocket = ''", ':2: agent.socket: must be an absolute path, is ""'),
        ("[agent]\nactions_per_hour = -1", ":2: agent.actions_per_hour: must be at least 0, is -1"),
        (
            "[agent.labels]\nsite = 'ams'\n'a b=' = 'x'",
            ':3: agent.labels: a key must be letters, digits and any of "._/-" between them, 63 at most, is "a b="',
        ),
        (
            "[agent]\nlabels = { '' = 'x' }",
            ':2: agent.labels: a key must be letters, digits and any of "._/-" between them, 63 at most, is ""',
        ),
        ("[agent]\npage_command = []", ":2: agent.page_command: must not be empty"),
        (
            "[agent]\npage_command = ['bin/page']",
            ":2: agent.page_command: item 1: must be an absolute path, or a bare name that is found by PATH, "
            'is "bin/page"',
        ),
        (
            "[agent]\nprotected = ['sshd']",
            ':2: agent.protected: item 1: must name a unit, such as "nginx.service", is "sshd"',
        ),
        ("[aggregator]", ':1: aggregator: key "address" is missing'),
        ("[aggregator]\naddress = 'x'\ninsecure = true", ':2: aggregator.address: must look like "HOST:PORT", is "x"'),
        (
            "[aggregator]\naddress = 'hub:1'\ninsecure = true",
            ':3: aggregator.insecure: is accepted for loopback addresses only, and the address is "hub:1"',
        ),
        (
            "[aggregator]\naddress = 'localhost:1'\ninsecure = true\nca_file = '/ca'",
            ":3: aggregator.insecure: excludes ca_file: remove one of them",
        ),
        (
            "[aggregator]\naddress = 'hub:1'\ncertificate_file = '/c'\nca_file = '/ca'",
            ':1: aggregator: key "key_file" is missing',
        ),
        ("[component]\nname = 'web'", ":1: component: is written [[component]], in two brackets"),
        ("component = [1]", ":1: component: item 1: must be a table, is 1"),
        ("[[component]]", ':1: component 1: key "name" is missing'),
        (
            "[[component]]\nname = 'a/b'",
            ':2: component "a/b": name: must be letters, digits and any of "-_.@", is "a/b"',
        ),
        (component("") + component(""), ':5: component "web": name: another component has this name already'),
        (
            component("unit = 'nginx'"),
            ':3: component "web": unit: must name a unit, such as "nginx.service", is "nginx"',
        ),
        (
            component("unit = 'web.slice'"),
            ':3: component "web": unit: is a slice, which a restart does not mend; write what runs in it',
        ),
        (
            component("unit = 'getty@.service'"),
            ':3: component "web": unit: must name a unit, such as "nginx.service", is "getty@.service"',
        ),
        (
            component("command = ['x']\nunit = 'x.service'"),
            ':3: component "web": command: there is a unit already; a component has one or the other',
        ),
        (component("command = ['']"), ':3: component "web": command: item 1: must name a program'),
        (component("drain = 'x'"), ':3: component "web": drain: must be a list, is "x"'),
        (component("listen = '80'"), ':3: component "web": listen: must look like "tcp:HOST:PORT", is "80"'),
        (
            component("listen = 'tcp:0.0.0.0:70000'"),
            ':3: component "web": listen: the port must be between 1 and 65535, is 70000',
        ),
        (
            component("health = { http = 'x' }"),
            ':3: component "web": health.http: must be a URL such as "http://127.0.0.1/", is "x"',
        ),
        (
            component("health = { http = 'http://u:p@x/' }"),
            ':3: component "web": health.http: must be a URL such as "http://127.0.0.1/", is "http://u:p@x/"',
        ),
        (
            component("health = { http = 'http://x:y/' }"),
            ':3: component "web": health.http: must be a URL such as "http://127.0.0.1/", is "http://x:y/"',
        ),
        (
            component("[component.health]\nhttp = 'http://x/'\nexpect_status = [200,\n 2]"),
            ':6: component "web": health.expect_status: item 2: must be at least 100, is 2',
        ),
        (component("start_grace_s = 0"), ':3: component "web": start_grace_s: must be more than 0, is 0'),
        (
            component("depends_on = ['wbe']"),
            ':3: component "web": depends_on: item 1: no component "wbe"; did you mean "web"?',
        ),
        (
            component("depends_on = ['tcp:db']"),
            ':3: component "web": depends_on: item 1: must look like "tcp:HOST:PORT", is "tcp:db"',
        ),
        (component("depends_on = ['web']"), ':3: component "web": depends_on: goes round in a circle: web → web'),
        ("[probes.l3_gatway]", ':1: probes: no probe "l3_gatway"; did you mean "l3_gateway"?'),
        ("[probes.l7_http]\nfall = 0", ":2: probes.l7_http.fall: must be at least 1, is 0"),
        (
            "[probes.l7_http]\ncount = 0",
            ':2: probes.l7_http: no key "count"; known here: enabled, interval_s, timeout_s, fall, rise, '
            "confirm_interval_s",
        ),
        ("[probes.l3_gateway]\ncount = 'x'", ':2: probes.l3_gateway.count: must be a whole number, is "x"'),
        (
            "[playbooks.reboot]",
            ':1: playbooks: no playbook "reboot"; there are: restart_component, restart_service, run_diagnostics',
        ),
        (
            "[playbooks.restart_service]\ntier = 0",
            ":2: playbooks.restart_service.tier: must be 1, 2 or 3 for a playbook that acts, is 0; enabled = false "
            "keeps it from acting",
        ),
        (
            "[playbooks.run_diagnostics]\ntier = 1",
            ":2: playbooks.run_diagnostics.tier: must be 0 for a playbook that only observes, is 1",
        ),
        ("[playbooks.restart_service]\ntier = 4", ":2: playbooks.restart_service.tier: must be 0, 1, 2 or 3, is 4"),
        (
            "[ladders]\nhttp_error = ['restart_service',\n'restart_servcie']",
            ':3: ladders.http_error: item 2: no playbook "restart_servcie"; did you mean "restart_service"?',
        ),
        (
            "[ladders]\nport_listening = []",
            ':2: ladders: no probe reports "port_listening"; did you mean "port_not_listening"?',
        ),
    ],
)
def test_each_fault_is_one_clear_line(problems, text, line):
    assert problems(text) == [line]


def test_a_circle_of_dependencies_is_shown_from_end_to_end(problems):
    text = "".join(f"[[component]]\nname = '{name}'\ndepends_on = ['{need}']\n" for name, need in ("ab", "bc", "ca"))
    [line] = problems(text)
    circle = line.rpartition(": ")[2].replace(" → ", "")
    assert circle in ("abca", "bcab", "cabc")


def test_problems_of_all_sections_come_together(problems):
    text = component("unit = 'x'") + "[probes.x]\n[ladders]\nhttp_error = ['x']\n[agent]\nmode = 1"
    assert len(problems(text)) == 4


def test_a_faulty_component_is_still_known_to_those_that_need_it(problems):
    assert len(problems(component("depends_on = ['db']") + "[[component]]\nname = 'db'\nunit = 5")) == 1


def test_an_installed_service_refuses_commands(problems, read):
    text = component("command = ['x']")
    assert read(text).components[0].command == ("x",)
    assert problems(text, allow_commands=False) == [
        ':3: component "web": command: an installed service runs no commands; write a unit'
    ]


def test_a_playbook_of_ones_own_that_is_never_tried_is_told_unless_it_is_off(read, tmp_path):
    text = "[playbooks.skip_job]\nheals = ['http_error']\nexecute = ['true']\n"
    default = {"http_error": ("restart_service",)}
    (line,) = read(text, default_ladders=default).notices
    assert line.startswith(f"{tmp_path}/agent.toml:2: playbooks.skip_job.heals: item 1: is never tried for http_error")
    assert read(f"{text}enabled = false\n", default_ladders=default).notices == ()
    assert read(text).notices == ()


def test_conf_d_adds_components(read, tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10-db.toml").write_text("[[component]]\nname = 'db'")
    assert [each.name for each in read(component("")).components] == ["web", "db"]


def test_without_an_argument_the_file_in_etc_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "DEFAULT_FILE", tmp_path / "agent.toml")
    with pytest.raises(ConfigError, match=r"agent\.toml: cannot be read: No such file or directory"):
        load(None, probe_fields={}, playbook_fields={}, issue_types=())


def test_a_syntax_error_is_a_config_error_with_its_line(problems):
    [line] = problems("[agent]\nmode heal")
    assert line.startswith(":2: not TOML: ")


def test_settings_lie_over_the_probes_own_schedule():
    settings = ProbeSettings(enabled=False, interval_s=9)
    assert settings.over(Schedule(fall=7)) == Schedule(enabled=False, interval_s=9, fall=7)


def test_a_label_is_called_as_it_can_be_asked_for(read):
    labels = {"a": "1", "rack-2": "b 7", "example.org/role": "", "a" * 63: "x"}
    text = "".join(f'"{key}" = "{value}"\n' for key, value in labels.items())
    assert read(f"[agent.labels]\n{text}").labels == labels


def test_only_this_machine_is_loopback():
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("10.0.0.1", "localhost.example", "0.0.0.0", "::", "hub")))


def test_a_value_of_a_wrong_type_hides_no_other_problem_of_its_table(problems):
    said = problems(
        "[agent]\nid = 'web 1'\nmode = 'heel'\n[[component]]\nname = 'web'\nunit = 'nginx'\n"
        "listen = 'tcp:0.0.0.0:99999'\nhealth = { http = 'htp://x', timeout_s = '1' }\n"
    )
    keys = ("agent.id:", "agent.mode:", " unit:", " listen:", " health.http:", " health.timeout_s:")
    assert [key for key in keys if not any(key in line for line in said)] == []
