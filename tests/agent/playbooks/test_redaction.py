"""A secret that is planted in what Guardian shows does not come out of it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_agent.playbooks.redaction import REDACTED, redact, redact_all, redact_argv, redact_lines

SECRET = "Xy7-Gf4kPq92Lm3"
PEM = [
    "-----BEGIN RSA PRIVATE KEY-----",
    "MIIEowIBAAKCAQEAx7n0Yp2Jq8vSrC5dG1hT4kLmZbWcVeXfYgUhIjKlMnOpQrSt",
    "Qk9Pdm5kZXJ3YWxsZXRpc29wZW4=",
    "-----END RSA PRIVATE KEY-----",
]
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"

# Where secrets are found: lines of journals, words of commands, the environment of a unit.
PLACES = [
    "password={}",
    "Environment=DB_PASSWORD={} PORT=80",
    'Environment="API_TOKEN={}"',
    "PGPASSWORD={} psql -h db",
    "nginx[12]: connect with passwd: {}",
    "app: login failed for bob, secret => {}",
    '{{"user": "bob", "password": "{}", "id": 7}}',
    '{{\\"client_secret\\": \\"{}\\"}}',
    "{{'api_key': '{}'}}",
    "aws_secret_access_key = {}",
    "signing-key: {}",
    "curl --token {} https://api.example/",
    "curl --token={} https://api.example/",
    "app -password {}",
    "postgres://app:{}@db.example:5432/shop",
    "fetching https://{}@git.example/repo failed",
    "GET /?access_token={} HTTP/1.1",
    "> Authorization: Basic {}",
    'curl -H "Authorization: Bearer {}" http://x/',
    "X-Api-Key: {}",
    "Set-Cookie: id={}; Path=/",
    "sent Bearer {} to the hub",
    "the token is now {} for all",
    "rotated secret to {}",
    "new apikey {} was made",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_goes_wherever_it_stands(place: str) -> None:
    shown = redact(place.format(SECRET))
    assert SECRET not in shown and REDACTED in shown
    assert redact(shown).count(REDACTED) >= shown.count(REDACTED) > 0


# What people and programs make secrets of; a quote or a blank ends a value that is not quoted.
SECRETS = st.text(string.ascii_letters + string.digits + "!#$%*+-./:;<>?@^_~&,|{}[]()", min_size=10, max_size=60)
RANDOM = SECRETS.map(lambda text: f"q7{text}x9Z3wK5v")
IN_PROSE = {place for place in PLACES if place.startswith(("the token", "rotated", "new apikey", "sent Bearer"))}


@given(place=st.sampled_from([place for place in PLACES if place not in IN_PROSE]), secret=SECRETS)
def test_a_planted_secret_never_survives(place: str, secret: str) -> None:
    hidden = f"S3{secret}"
    if "@" in place and "/" in hidden and "app:" not in place:
        hidden = hidden.replace("/", "_")  # as it must be written in a URL
    assert hidden not in redact(place.format(hidden))
    assert hidden not in str(redact_all({"journal": ["before", place.format(hidden), "after"]}))


@given(place=st.sampled_from(sorted(IN_PROSE)), secret=RANDOM)
def test_what_looks_random_behind_a_telling_word_never_survives(place: str, secret: str) -> None:
    assert secret not in redact(place.format(secret))


@given(
    secret=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=4, max_size=60),
    flag=st.sampled_from(["--password", "--api-key", "-token", "--db.secret"]),
    glued=st.booleans(),
)
def test_a_word_of_a_command_that_is_a_secret_never_survives(secret: str, flag: str, glued: bool) -> None:
    hidden = f"S3{secret}#"
    words = [f"{flag}={hidden}"] if glued else [flag, hidden]
    assert hidden not in redact_argv(["/usr/bin/app", "--port", "80", *words, "--verbose"])


@pytest.mark.parametrize(
    "argv",
    [
        ("sshpass", "-p", SECRET, "ssh", "h"),
        ("/usr/bin/redis-cli", "-a", SECRET, "ping"),
        ("mysql", f"-p{SECRET}", "-u", "root"),
        ("curl", "-u", f"bob:{SECRET}", "http://x"),
    ],
)
def test_short_options_that_carry_a_password_are_known(argv: tuple[str, ...]) -> None:
    assert SECRET not in redact_argv(argv)


@pytest.mark.parametrize("secret", [JWT, "AKIAIOSFODNN7EXAMPLE", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"])
def test_a_key_is_known_by_its_form_alone(secret: str) -> None:
    assert secret not in redact(f"got {secret} from the hub")


@pytest.mark.parametrize("prefix", ["", "2026-11-25T05:01:49+0000 h1 app[7]: "])
def test_a_private_key_goes_with_all_its_lines(prefix: str) -> None:
    shown = redact_lines([f"{prefix}{line}" for line in ["before", *PEM, "after"]])
    assert shown == [f"{prefix}before", f"{prefix}{REDACTED}", f"{prefix}after"]
    assert all(line not in redact("\n".join(PEM)) for line in PEM)
    assert all(line not in redact(f"wrote {''.join(PEM)} there") for line in PEM)


def test_a_private_key_whose_beginning_was_cut_off_shows_none_of_its_full_lines() -> None:
    assert PEM[1] not in redact(f"app[7]: {PEM[1]}")


@pytest.mark.parametrize(
    "line",
    [
        'nginx[12]: open() "/srv/www/index.html" failed (2: No such file or directory)',
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 /usr/sbin/nginx",
        "sshd[9]: Failed password for root from 198.18.0.7 port 4711 ssh2",
        "--tls-cert-file=/etc/nginx/tls/site.pem --password-file=/etc/app/password",
        "password_file: /run/secrets/db",
        "listening on tcp:0.0.0.0:8080, see https://docs.example/page?x=1",
        "eth0: link becomes ready",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert redact(line) == line


def test_what_a_telling_key_names_goes_whatever_it_looks_like() -> None:
    assert redact_all({"db_password": "x", "port": 80, "more": [{"token": "y"}]}) == {
        "db_password": REDACTED,
        "port": 80,
        "more": [{"token": REDACTED}],
    }
