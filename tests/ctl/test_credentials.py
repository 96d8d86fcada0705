import ssl
from pathlib import Path

import pytest
from tests.authority import Authority

from guardian_ctl.credentials import CA_FILE, NONE, TOKEN, TOKEN_FILE, credentials_for
from guardian_ctl.errors import CtlError, WrongUsageError

HERE, FAR = "http://127.0.0.1:8080", "https://hub.example"


def test_an_environment_that_says_nothing_shows_no_token() -> None:
    assert credentials_for(FAR, {}) == NONE


def test_a_token_comes_from_the_environment_or_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("gdn_a_b\n")
    assert credentials_for(FAR, {TOKEN: "gdn_a_b"}).token == "gdn_a_b"
    assert credentials_for(FAR, {TOKEN_FILE: str(tmp_path / "token")}).token == "gdn_a_b"


@pytest.mark.parametrize("url", [HERE, FAR, "http://localhost:1", "http://[::1]:1"])
def test_it_goes_where_nobody_can_read_it_on_the_way(url: str) -> None:
    assert credentials_for(url, {TOKEN: "t"}).token == "t"


@pytest.mark.parametrize("url", ["http://hub.example", "http://10.0.0.1:8080", "http://127.0.0.1.example"])
def test_it_does_not_go_over_the_network_in_the_clear(url: str) -> None:
    with pytest.raises(WrongUsageError, match="could be read on the way: use https"):
        credentials_for(url, {TOKEN: "t"})
    assert credentials_for(url, {}) == NONE


def test_two_tokens_and_what_cannot_stand_in_a_header_are_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(WrongUsageError, match="only one of them"):
        credentials_for(FAR, {TOKEN: "t", TOKEN_FILE: "x"})
    for token in ("a\nb", "a b", "ä"):
        with pytest.raises(WrongUsageError, match="no token has"):
            credentials_for(FAR, {TOKEN: token})


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "odd").write_bytes(b"\xff")
    for name, why in (("none", "No such file"), ("empty", "is empty"), ("odd", "is no token")):
        with pytest.raises(CtlError, match=rf"{TOKEN_FILE}: .*{name}.*{why}"):
            credentials_for(FAR, {TOKEN_FILE: str(tmp_path / name)})
        with pytest.raises(CtlError, match=rf"{CA_FILE}: .*{name}"):
            credentials_for(FAR, {CA_FILE: str(tmp_path / name)})


def test_an_authority_of_ones_own_is_trusted(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(Authority().pem)
    assert isinstance(credentials_for(FAR, {CA_FILE: str(file)}).ca, ssl.SSLContext)
