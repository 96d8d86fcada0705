import datetime

import pytest
from cryptography.hazmat.primitives import serialization
from tests.agent.host.issuing import authority, issued

from guardian_agent.host.certificates import not_after

MOMENTS = [
    datetime.datetime(2027, 3, 1, 12, 30, 59, tzinfo=datetime.UTC),
    datetime.datetime(2049, 12, 31, 23, 59, 59, tzinfo=datetime.UTC),
    datetime.datetime(2050, 1, 1, tzinfo=datetime.UTC),  # from here on, with four digits of the year
    datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC),
]


@pytest.mark.parametrize("until", MOMENTS, ids=str)
def test_until_when_a_certificate_is_good(until):
    pem = issued(authority(), "localhost", until=until)
    assert not_after(f"a remark\n{pem.certificate}") == until.timestamp()


def test_of_several_the_first_counts():
    one = issued(authority(), "localhost", until=MOMENTS[0])
    other = issued(authority(), "localhost", until=MOMENTS[1])
    assert not_after(one.certificate + other.certificate) == MOMENTS[0].timestamp()


KEY = authority().key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


def cut(pem, characters):
    lines = pem.strip().splitlines()
    body = "".join(lines[1:-1])[:characters]
    return "\n".join([lines[0], body, lines[-1]])


@pytest.mark.parametrize(
    "text", ["", "<html>", KEY.decode(), "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"]
)
def test_what_holds_none_is_said_to_hold_none(text):
    with pytest.raises(ValueError, match=r"no certificate|not base64"):
        not_after(text)


@pytest.mark.parametrize("characters", range(0, 240, 4))
def test_one_that_is_cut_off_is_not_believed(characters):
    pem = issued(authority(), "localhost", until=MOMENTS[0]).certificate
    with pytest.raises(ValueError, match="cut off"):
        not_after(cut(pem, characters))


@pytest.mark.parametrize("der", ["MAA=", "MAQwAgIA", "BAA=", "MAIwAA=="])
def test_what_is_something_else_is_not_believed(der):
    with pytest.raises(ValueError, match=r"certificate"):
        not_after(f"-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----")
