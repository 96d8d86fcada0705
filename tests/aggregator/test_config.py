"""aggregator.toml: defaults, and every problem at once."""

from pathlib import Path

import pytest

from guardian_aggregator.config import Address, HttpLimits, parse_database, read_config
from guardian_aggregator.errors import ConfigError


@pytest.fixture
def file(tmp_path):
    return tmp_path / "aggregator.toml"


def problems(file: Path, text: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_config(file)
    return [line.removeprefix(f"{file}:") for line in error.value.problems]


def test_loopback_needs_no_more_than_insecure(file):
    file.write_text('[grpc]\nlisten = "127.0.0.1:7443"\ninsecure = true\n')
    config = read_config(file)
    assert config.grpc == Address("127.0.0.1", 7443)
    assert config.certificates is None
    assert config.http == Address("127.0.0.1", 8080)
    assert config.database == Path("/var/lib/guardian-aggregator/guardian.db")


def test_with_certificates_all_else_has_a_default(file):
    file.write_text('[grpc]\ncertificate_file = "/c"\nkey_file = "/k"\nca_file = "/a"\n')
    config = read_config(file)
    assert config.grpc == Address("0.0.0.0", 7443)
    assert config.certificates.ca_file == Path("/a")


def test_conf_d_completes_the_file(file):
    file.write_text('[aggregator]\nstate_dir = "/srv/g"\n')
    more = file.parent / "conf.d"
    more.mkdir()
    (more / "aggregator-listen.toml").write_text('[grpc]\nlisten = "[::1]:0"\ninsecure = true\n')
    config = read_config(file)
    assert (config.grpc, config.database) == (Address("::1", 0), Path("/srv/g/guardian.db"))


def test_an_empty_file_lacks_certificates_only(file):
    (problem,) = problems(file, "")
    assert "grpc: needs certificate_file, key_file, ca_file; or insecure = true" in problem


def test_every_problem_is_told_with_its_line(file):
    found = problems(
        file,
        '[aggregator]\nstate_dir = "here"\n[grpc]\nlisten = "127.0.0.1:bad"\ninsecure = true\ncertificat_file = "x"\n'
        '[http]\nlisten = 80\n[store]\nurl = "postgresql://x/y"\n[intake]\nurl = "nats://a"\n[htp]\n',
    )
    assert found == [
        '2: aggregator.state_dir: must be a whole path, is "here"',
        '4: grpc.listen: the port must be 0 to 65535, is "bad"',
        '6: grpc: no key "certificat_file"; did you mean "certificate_file"?',
        "8: http.listen: must be text, is 80",
        '10: store.url: this version stores in sqlite:///FILE only, is "postgresql://x/y"',
        '12: intake.url: this version takes "local:" only, is "nats://a"',
        '13: no key "htp"; did you mean "http"?',
    ]


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        ("0.0.0.0:7443", "is for loopback addresses only, not 0.0.0.0:7443"),
        ("10.0.0.1:7443", "is for loopback addresses only"),
        ("hub.example:7443", "is for loopback addresses only"),
        ("7443", 'must be HOST:PORT, is "7443"'),
        (":7443", "must be HOST:PORT"),
        ("::1:7443", "an IPv6 address needs brackets: [::1]:7443"),
        ("127.0.0.1:65536", "the port must be 0 to 65535"),
        ("127.0.0.1:-1", "the port must be 0 to 65535"),
    ],
)
def test_insecure_is_for_loopback_addresses_only(file, listen, said):
    (problem,) = problems(file, f'[grpc]\nlisten = "{listen}"\ninsecure = true\n')
    assert said in problem


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1"])
def test_loopback_addresses_are_known_as_such(file, listen):
    file.write_text(f'[grpc]\nlisten = "{listen}"\ninsecure = true\n')
    assert str(read_config(file).grpc) == listen


def test_insecure_beside_certificates_is_a_contradiction(file):
    (problem,) = problems(file, '[grpc]\nlisten = "127.0.0.1:1"\ninsecure = true\nkey_file = "/k"\n')
    assert "grpc.insecure: there are certificates too" in problem


def test_half_a_set_of_certificates_is_none(file):
    (problem,) = problems(file, '[grpc]\nkey_file = "/k"\n')
    assert "grpc: needs certificate_file, ca_file" in problem


@pytest.mark.parametrize("url", ["sqlite://host/x", "sqlite:///", "sqlite:x", "guardian.db", "sqlite:///x?mode=ro"])
def test_a_store_is_a_whole_path(file, url):
    (problem,) = problems(file, f'[grpc]\nlisten = "[::1]:1"\ninsecure = true\n[store]\nurl = "{url}"\n')
    assert ":5: store.url: " in f":{problem}"


@pytest.mark.parametrize("slashes", ["///", "////"])
def test_a_store_is_one_path_with_three_slashes_or_four(slashes):
    assert str(parse_database(f"sqlite:{slashes}srv/guardian.db")) == "/srv/guardian.db"


def test_a_file_that_is_not_there_is_one_line(file):
    with pytest.raises(ConfigError) as error:
        read_config(file)
    assert error.value.problems == [f"{file}: cannot be read: No such file or directory"]


GRPC = '[grpc]\nlisten = "[::1]:1"\ninsecure = true\n'
PAIR = 'certificate_file = "/c"\nkey_file = "/k"\n'


@pytest.mark.parametrize(
    ("http", "tokens"),
    [
        ("", False),
        ("tokens = true\n", True),
        ('listen = "[::1]:8080"\n', False),
        ('listen = "0.0.0.0:8080"\ninsecure = true\n', True),
        (f'listen = "0.0.0.0:8080"\n{PAIR}', True),
        (PAIR, False),
    ],
)
def test_whoever_asks_from_elsewhere_needs_a_token(file, http, tokens):
    file.write_text(f"{GRPC}[http]\n{http}")
    config = read_config(file)
    assert config.http_tokens is tokens and (config.https is not None) == (PAIR in http)


@pytest.mark.parametrize(
    ("http", "problem"),
    [
        ('listen = "10.0.0.1:80"\n', "5: http.listen: 10.0.0.1:80 is open to the network: needs certificate_file and"),
        ('certificate_file = "/c"\n', "4: http: needs key_file, too"),
        ('key_file = "/k"\n', "4: http: needs certificate_file, too"),
        (f"{PAIR}insecure = true\n", "7: http.insecure: there are certificates too"),
        ('listen = "h:80"\ninsecure = true\ntokens = false\n', "7: http.tokens: may be false on a loopback address"),
    ],
)
def test_nothing_is_open_to_the_network_by_mistake(file, http, problem):
    (found,) = problems(file, f"{GRPC}[http]\n{http}")
    assert found.startswith(problem)


def test_what_a_client_may_ask_can_be_set(file):
    file.write_text(f"{GRPC}[http]\nrequests_per_second = 5\nanswer_within_s = 2.5\n")
    assert read_config(file).http_limits == HttpLimits(requests_per_second=5.0, answer_within_s=2.5)


@pytest.mark.parametrize("value", ["0", "-1.0", "inf", "nan", "-inf"])
@pytest.mark.parametrize("key", ["requests_per_second", "answer_within_s"])
def test_a_limit_is_a_number_above_nothing(file, key, value):
    found = problems(file, f"{GRPC}[http]\n{key} = {value}\n")
    assert found and all(each.startswith(f"5: http.{key}: ") for each in found)


def test_one_address_cannot_be_listened_on_twice(file):
    (problem,) = problems(file, '[grpc]\nlisten = "127.0.0.1:8080"\ninsecure = true\n')
    assert "http.listen: is grpc.listen, too: 127.0.0.1:8080" in problem
