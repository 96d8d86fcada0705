"""What root has seen of the firewall: the agent can have nothing else brought back."""

from pathlib import Path

import pytest
from tests.agent.fake_firewall import table

from guardian_agent.host.as_root import seen_tables
from guardian_agent.host.as_root.seen_tables import SeenTables

FILTER, NAT = "inet filter", "ip nat"
OPEN, CLOSED = table(FILTER, "accept"), table(FILTER, "drop")


@pytest.fixture
def seen(tmp_path: Path) -> SeenTables:
    return SeenTables(str(tmp_path / "state" / "firewall"))


def test_before_the_first_look_nothing_was_seen_and_at_it_not_what_was_not_there(seen: SeenTables) -> None:
    assert not seen.has(FILTER, OPEN) and not seen.has(FILTER, "")
    seen.note({FILTER: OPEN})
    assert seen.has(FILTER, OPEN)
    assert not any(seen.has(*what) for what in ((FILTER, ""), (FILTER, CLOSED), (NAT, OPEN)))
    assert seen.has(NAT, "")


def test_what_comes_goes_and_changes_was_all_seen(seen: SeenTables) -> None:
    for tables in ({FILTER: OPEN}, {FILTER: CLOSED, NAT: table(NAT)}, {NAT: table(NAT)}):
        seen.note(tables)
    assert all(seen.has(FILTER, text) for text in (OPEN, CLOSED, "")) and seen.has(NAT, "")


def test_what_packets_add_makes_no_other_table_and_guardians_own_is_none_of_it(seen: SeenTables) -> None:
    head, tail = f"table {FILTER} {{\n\tset young {{\n\t\ttype ipv4_addr\n\t\tflags dynamic\n", "\t}\n}\n"
    seen.note({FILTER: f"{head}\t\telements = {{ 192.0.2.1 }}\n{tail}", "inet guardian_rebind_web": OPEN})
    assert seen.has(FILTER, head + tail) and seen.has(FILTER, f"{head}\t\telements = {{ 192.0.2.2 }}\n{tail}")
    assert not seen.has("inet guardian_rebind_web", OPEN)


def test_what_a_table_was_long_ago_is_forgotten(seen: SeenTables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_tables, "MOST_TEXTS", 2)
    monkeypatch.setattr(seen_tables, "MOST_TABLES", 1)
    for number in range(3):
        seen.note({FILTER: table(FILTER, f"tcp dport {number} drop")})
    assert [seen.has(FILTER, table(FILTER, f"tcp dport {number} drop")) for number in range(3)] == [False, True, True]
    seen.note({FILTER: OPEN, NAT: table(NAT)})
    assert seen.has(FILTER, OPEN) and not seen.has(NAT, table(NAT))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"texts":{"inet filter":5}}'])
def test_a_record_that_cannot_be_read_shows_nothing_and_is_made_anew(
    seen: SeenTables, tmp_path: Path, content: bytes
) -> None:
    seen.note({FILTER: OPEN})
    (tmp_path / "state" / "firewall" / "seen.json").write_bytes(content)
    assert not seen.has(FILTER, OPEN)
    seen.note({FILTER: OPEN})
    assert seen.has(FILTER, OPEN) and not seen.has(FILTER, "")
