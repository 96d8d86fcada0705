import pytest
from tests.agent.fake_firewall import table

from guardian_agent.host import nft

KEY = "inet filter"
MINE = table(KEY, 'log prefix "table ip x { " accept', "ip saddr { 192.0.2.1, 192.0.2.2 } drop", policy="drop")
SETS = """table inet filter {
	set young {
		type ipv4_addr . inet_service
		size 65535
		flags dynamic,timeout
		timeout 300ms
		elements = { 192.0.2.1 . 1,
			192.0.2.2 . 2 }
	}

	set banned {
		type ipv4_addr
		timeout 1h
		elements = { 192.0.2.3 comment "} {" }
	}

	set open {
		type inet_service
		flags interval
		elements = { 22, 80-90 }
	}
}
""".replace("\t192.0.2.2", "\t     192.0.2.2")  # as nft lines them up


def test_a_listing_is_parted_into_its_tables_whatever_stands_in_quotes() -> None:
    warned = f"# Warning: table ip nat is managed by iptables-nft, do not touch!\n{table('ip nat')}"
    assert nft.tables_in(MINE + warned + SETS.replace("filter", "sets")) == {
        KEY: MINE,
        "ip nat": table("ip nat"),
        "inet sets": SETS.replace("filter", "sets"),
    }
    assert nft.tables_in("") == {}


@pytest.mark.parametrize("listing", ["chain x {\n}\n", MINE[:-2], MINE + MINE, f"{MINE}}}\n", "x\n"])
def test_what_is_no_listing_is_none(listing: str) -> None:
    with pytest.raises(ValueError, match="nft listed"):
        nft.tables_in(listing)


def test_sets_that_packets_fill_or_time_empties_are_compared_without_their_elements() -> None:
    settled = nft.settled(SETS)
    assert "192.0.2" not in settled and "elements = { 22, 80-90 }" in settled
    assert settled.count("{") == settled.count("}") and nft.settled(settled) == settled
    assert nft.fault(KEY, settled) == "" and nft.settled(MINE) == MINE


@pytest.mark.parametrize(("text", "summary"), [(table(KEY), "(0 rules, "), (MINE, "(2 rules, "), (SETS, "(0 rules, ")])
def test_a_table_is_told_in_a_few_words(text: str, summary: str) -> None:
    assert nft.summary(text).startswith(summary)
    assert nft.summary(text) != nft.summary(text.replace("type", "kind"))


def test_what_only_marks_or_clamps_sends_nothing_elsewhere() -> None:
    marks = table(
        KEY, "meta mark set 0x1", "ct mark set meta mark", "tcp option maxseg size set rt mtu", "reject with tcp reset"
    )
    assert nft.diversion(marks) == nft.diversion(SETS) == ""
    assert nft.diversion(table(KEY, "ip daddr set 192.0.2.1")) == "set"


def test_guardians_own_tables_are_not_compared() -> None:
    tables = {KEY: MINE, "inet guardian_rebind_web": "", "ip my_guardian_": ""}
    assert nft.comparable({key: text or table(key) for key, text in tables.items()}).keys() == {KEY, "ip my_guardian_"}
