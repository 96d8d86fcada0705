"""What is said of a component, and each thing that can be wrong with it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from guardian_agent.components import components, parse_endpoint
from guardian_agent.model import Component, Health
from guardian_toml import Document, TomlProblems

Read = Callable[[str], tuple[Component, ...]]
HEAD = '[[component]]\nname = "web"\n'
SHA256 = "0123456789abcdefABCDEF" + "0" * 42


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """The components of a file, all of them good."""

    def read(text: str) -> tuple[Component, ...]:
        path = tmp_path / "agent.toml"
        path.write_text(text)
        document = Document([path])
        found = components(document, allow_commands=True)
        document.finish()
        return found

    return read


@pytest.fixture
def problems(read: Read, tmp_path: Path) -> Callable[[str], list[str]]:
    """What is wrong with what is said of the component `web`, without the name of the file."""

    def problems(text: str) -> list[str]:
        with pytest.raises(TomlProblems) as caught:
            read(HEAD + text)
        return [line.replace(f"{tmp_path}/agent.toml:", "", 1) for line in caught.value.problems]

    return problems


def artifact(text: str) -> str:
    return f"[[component.artifact]]\npath = '/bin/x'\n{text}\n"


def secret(text: str) -> str:
    return f"[[component.secret]]\npath = '/etc/x'\nmax_age_s = 60\n{text}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("heartbeat = {}", ['3: component "web": heartbeat: key "file" is missing',
                            '3: component "web": heartbeat: key "max_age_s" is missing']),
        ("heartbeat = { file = 'beat', max_age_s = 0 }",
         ['3: component "web": heartbeat.max_age_s: must be more than 0, is 0']),
        ("heartbeat = { file = 'beat', max_age_s = 1 }",
         ['3: component "web": heartbeat.file: must be an absolute path, is "beat"']),
        ("releases = { folder = 'r', current = '/c' }",
         ['3: component "web": releases.folder: must be an absolute path, is "r"']),
        ("releases = { folder = '/r', current = '/r' }",
         ['3: component "web": releases.current: is the folder itself, and not a link into it']),
        ("certificate = { file = '/c', endpoint = 'x:1' }",
         ['3: component "web": certificate.endpoint: must look like "tcp:HOST:PORT", is "x:1"']),
        ("certificate = { file = '/c', ca_file = 'ca' }",
         ['3: component "web": certificate.ca_file: must be an absolute path, is "ca"']),
        ("certificate = { file = '/c', warn_days = 0 }",
         ['3: component "web": certificate.warn_days: must be more than 0, is 0']),
        ("health = { }", ['3: component "web": health: says nothing to ask: write http, grpc or command']),
        ("health = { http = 'http://x/', grpc = 'x:1' }",
         ['3: component "web": health.grpc: there is http already; health is asked in one way']),
        ("health = { grpc = 'x' }", ['3: component "web": health.grpc: must look like "HOST:PORT", is "x"']),
        ("health = { grpc = 'x:1', expect_status = [200] }",
         ['3: component "web": health.expect_status: belongs to http, and the health is asked by grpc']),
        ("health = { http = 'http://x/', grpc_service = 'x' }",
         ['3: component "web": health.grpc_service: belongs to grpc, and the health is asked by http']),
        ("health = { command = [''] }", ['3: component "web": health.command: item 1: must name a program']),
        (artifact(""), ['3: component "web": artifact 1: says nothing of its content: write sha256, or dpkg = true']),
        (artifact("dpkg = false"),
         ['3: component "web": artifact 1: says nothing of its content: write sha256, or dpkg = true']),
        (artifact(f"dpkg = true\nsha256 = '{SHA256}'"),
         ['5: component "web": artifact 1: dpkg: there is a sha256 already; an artifact has one or the other']),
        (artifact("sha256 = 'abc'"),
         ['5: component "web": artifact 1: sha256: must be 64 hexadecimal digits, is "abc"']),
        (artifact("dpkg = true\ngood_copy = '/bin/x'"),
         ['6: component "web": artifact 1: good_copy: is the file itself']),
        (artifact("dpkg = true\ngood_copy = 'x'"),
         ['6: component "web": artifact 1: good_copy: must be an absolute path, is "x"']),
        (artifact("dpkg = true") + "[[component.artifact]]\ndpkg = true\n",
         ['6: component "web": artifact 2: key "path" is missing']),
        (secret("renew = ['/x']"),
         ['3: component "web": secret 1: key "check" is missing: renew alone renews nothing; '
          "without both, it is reported only"]),
        (secret("check = ['/x']"),
         ['3: component "web": secret 1: key "renew" is missing: check alone renews nothing; '
          "without both, it is reported only"]),
        (secret("reload = 'x.service'"),
         ['6: component "web": secret 1: reload: is of no use without renew and check']),
        (secret("renew = ['/x']\ncheck = ['/x']\nreload = 'x'"),
         ['8: component "web": secret 1: reload: must name a unit, such as "nginx.service", is "x"']),
        (secret("renew = ['new']\ncheck = ['/x']"),
         ['6: component "web": secret 1: renew: item 1: must be an absolute path, is "new"']),
        ("drain = ['./drain']",
         ['3: component "web": drain: item 1: must be an absolute path, or a bare name that is found by PATH, '
          'is "./drain"']),
        (secret("renew = ['']\ncheck = ['/x']"),
         ['6: component "web": secret 1: renew: item 1: must name a program']),
    ],
)  # fmt: skip
def test_each_fault_of_what_a_component_declares_is_one_clear_line(
    problems: Callable[[str], list[str]], text: str, said: list[str]
) -> None:
    assert problems(text) == said


def test_all_that_is_wrong_comes_together(problems: Callable[[str], list[str]]) -> None:
    text = "heartbeat = { file = 'x', max_age_s = 1 }\nhealth = {}\n" + artifact("") + secret("renew = ['/x']")
    assert len(problems(text)) == 4


def test_health_keeps_its_defaults_where_nothing_is_said(read: Read) -> None:
    (found,) = read(HEAD + "health = { http = 'http://x/' }")
    assert found.health == Health(http="http://x/") and found.health.expect_status == (200,)


def test_an_endpoint_reads_back_as_it_is_written() -> None:
    for text in ("tcp:0.0.0.0:80", "tcp:[::1]:65535", "tcp:db.example:1"):
        assert str(parse_endpoint(text)) == text


@pytest.mark.parametrize(
    "text", ["", "tcp:", "udp:x:1", "tcp:::1:80", "tcp:[x]:1", "tcp:a b:1", "tcp:x:1 ", "tcp:-x:1"]
)
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must look like|is no host name"):
        parse_endpoint(text)
