import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_aggregator.access import Role, TokenFile
from guardian_aggregator.errors import GuardianError

NOW_S = 1_800_000_000


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path)


def test_whoever_shows_a_token_is_told_by_it_and_its_secret_is_kept_nowhere(tokens: TokenFile) -> None:
    shown = tokens.create("grafana", Role.VIEWER, NOW_S)
    holder = tokens.holder(shown, NOW_S)
    assert holder is not None and (holder.name, holder.role) == ("grafana", Role.VIEWER)
    assert shown.split("_", 2)[2] not in tokens.path.read_text()
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600


def test_what_another_process_does_counts_from_the_next_question_on(tokens: TokenFile) -> None:
    other = TokenFile(tokens.path.parent)
    assert tokens.holder("gdn_x", NOW_S) is None
    shown = other.create("a", Role.ADMIN, NOW_S)
    assert tokens.holder(shown, NOW_S) is not None
    other.revoke("a")
    assert tokens.holder(shown, NOW_S) is None and tokens.all() == []


def test_a_token_ends_when_it_was_to(tokens: TokenFile) -> None:
    shown = tokens.create("a", Role.VIEWER, NOW_S, NOW_S + 60)
    assert tokens.holder(shown, NOW_S + 59.9) is not None
    assert tokens.holder(shown, NOW_S + 60.0) is None
    assert [token.name for token in tokens.all()] == ["a"]


def test_one_is_revoked_by_its_name_or_its_id_and_the_others_stay(tokens: TokenFile) -> None:
    first, second, third = (tokens.create(name, Role.VIEWER, NOW_S) for name in "abc")
    holder = tokens.holder(second, NOW_S)
    assert holder is not None and tokens.revoke(holder.id) == holder
    tokens.revoke("a")
    assert [tokens.holder(shown, NOW_S) is not None for shown in (first, second, third)] == [False, False, True]
    with pytest.raises(GuardianError, match="there is no token 'a'"):
        tokens.revoke("a")


@pytest.mark.parametrize("name", ["", " a", "a b", "a\nb", "a@b", "x" * 64, "ä", "-a"])
def test_what_is_no_name_is_refused(tokens: TokenFile, name: str) -> None:
    with pytest.raises(GuardianError, match="a token's name has"):
        tokens.create(name, Role.VIEWER, NOW_S)
    assert not tokens.path.exists()


def test_a_name_is_given_once(tokens: TokenFile) -> None:
    shown = tokens.create("a", Role.VIEWER, NOW_S)
    with pytest.raises(GuardianError, match="already"):
        tokens.create("a", Role.ADMIN, NOW_S)
    assert tokens.holder(shown, NOW_S) is not None


@given(st.text() | st.from_regex(r"gdn_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", fullmatch=True))
def test_what_was_never_made_is_nobodys(tmp_path_factory: pytest.TempPathFactory, presented: str) -> None:
    tokens = TokenFile(tmp_path_factory.getbasetemp())
    assert tokens.holder(presented, NOW_S) is None


def test_another_secret_under_a_real_id_is_nobodys(tokens: TokenFile) -> None:
    first, second = (tokens.create(name, Role.VIEWER, NOW_S) for name in "ab")
    forged = f"{first[:16]}_{second[17:]}"
    assert len(forged) == len(first) and tokens.holder(forged, NOW_S) is None


def test_of_many_that_are_made_at_once_none_is_lost(tokens: TokenFile) -> None:
    def make(number: int) -> str:
        return TokenFile(tokens.path.parent).create(f"t{number}", Role.VIEWER, NOW_S)

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(make, range(24)))
    assert all(tokens.holder(shown, NOW_S) for shown in made)
    assert [entry.name for entry in tokens.path.parent.iterdir()] == [tokens.path.name]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'[{"id": 1}]', b'[{"role": "king"}]'])
def test_a_file_that_makes_no_sense_lets_nobody_in_and_is_not_written_over(tokens: TokenFile, content: bytes) -> None:
    tokens.path.write_bytes(content)
    for ask in (lambda: tokens.holder(f"gdn_{'0' * 12}_{'x' * 43}", NOW_S), lambda: tokens.create("a", Role.VIEWER, 0)):
        with pytest.raises(GuardianError, match="is no file of tokens"):
            ask()
    assert tokens.path.read_bytes() == content


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder away")
def test_what_root_makes_belongs_to_the_folders_owner(tokens: TokenFile) -> None:
    os.chown(tokens.path.parent, 12345, 12346)
    tokens.create("a", Role.VIEWER, NOW_S)
    there = tokens.path.stat()
    assert (there.st_uid, there.st_gid) == (12345, 12346)


def test_each_role_may_what_those_before_it_may() -> None:
    assert [[role.covers(needed) for needed in Role] for role in Role] == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
    ]
