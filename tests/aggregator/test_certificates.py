import ssl

import pytest
from tests.authority import Authority, write

from guardian_aggregator.certificates import own_certificate
from guardian_aggregator.errors import ConfigError


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def files(authority, tmp_path):
    certificate, key = authority.issue("hub.example")
    return write(tmp_path, certificate_file=certificate, key_file=key)


def test_a_pair_makes_a_context_that_takes_no_old_protocol(files):
    context = own_certificate("http", **files)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_every_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError) as told:
        own_certificate("http", tmp_path / "c", tmp_path / "k")
    assert told.value.problems == [
        f"http.certificate_file: {tmp_path}/c: No such file or directory",
        f"http.key_file: {tmp_path}/k: No such file or directory",
    ]


def test_the_key_of_another_certificate_is_told(files, authority):
    _, other = authority.issue("other.example")
    files["key_file"].write_bytes(other)
    with pytest.raises(
        ConfigError, match=r"http.certificate_file, http.key_file: .* are not a certificate and its key"
    ):
        own_certificate("http", **files)
