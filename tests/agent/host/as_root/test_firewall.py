"""The firewall of a network namespace of the test's own, and the real nft."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from tests.agent.host.as_root.own_network import in_own_network

from guardian_agent.errors import OperationError, ProbeError, RefusedOperationError
from guardian_agent.host import nft
from guardian_agent.host.as_root import firewall, seen_tables
from guardian_agent.host.as_root.seen_tables import SeenTables
from guardian_agent.host.operations import ReplaceTables
from guardian_agent.host.questions import ReadRuleset

own_network = in_own_network
RULES = """
table inet filter {
  counter seen { }
  set young { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 300ms; }
  set banned { type ipv4_addr; flags timeout; elements = { 192.0.2.1 timeout 1h comment "} {", 192.0.2.2 timeout 1h } }
  set open { type ipv4_addr . inet_service; flags interval; elements = { 192.0.2.3 . 80, 198.51.100.0/24 . 90-100 } }
  map ports { type inet_service : verdict; elements = { 22 : accept, 23 : drop } }
  chain input {
    type filter hook input priority filter; policy drop;
    counter packets 5 bytes 6 accept comment "table ip x { } #"
    tcp dport 22 limit rate 3/minute log prefix "} table inet y { " counter name seen
    update @young { ip saddr . tcp sport }
    ip saddr . tcp dport @open accept
    tcp dport vmap @ports
    quota over 10 mbytes used 3 mbytes drop
    ct state established,related accept
    reject with icmpx type admin-prohibited
  }
  chain ahead { type nat hook prerouting priority dstnat; tcp dport 8080 redirect to :80; }
}
table ip6 asleep { flags dormant; chain input { type filter hook input priority 5; drop; }
}
table netdev early { chain lo { type filter hook ingress device "lo" priority 0; policy accept; }
}
""".replace("; }", "\n}\n")
STRAY = "table ip stray {\n\tchain input {\n\t\ttype filter hook input priority 0; policy accept;\n\t\tdrop\n\t}\n}\n"


@pytest.fixture(autouse=True)
def own_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_tables, "FOLDER", str(tmp_path / "seen"))


def run(script: str) -> None:
    subprocess.run(("nft", "-f", "-"), input=script.encode(), check=True)


def listing() -> str:
    return subprocess.run(("nft", "--stateless", "list", "ruleset"), capture_output=True, check=True).stdout.decode()


def read() -> dict[str, str]:
    return asyncio.run(firewall.read(ReadRuleset()))


def replace(tables: dict[str, str]) -> None:
    """What root has seen at some time, gone too."""
    SeenTables().note({key: text for key, text in tables.items() if text})
    SeenTables().note({})
    asyncio.run(firewall.replace(ReplaceTables(tables)))


@pytest.mark.usefixtures("own_network")
def test_each_table_is_read_as_nft_prints_it() -> None:
    run(RULES)
    tables = read()
    assert list(tables) == ["inet filter", "ip6 asleep", "netdev early"]
    assert "".join(tables.values()) == listing()
    assert [nft.fault(key, text) for key, text in tables.items()] == ["", "", ""]


@pytest.mark.usefixtures("own_network")
def test_a_host_without_rules_has_no_tables() -> None:
    assert read() == {}


@pytest.mark.usefixtures("own_network")
def test_all_that_was_deleted_comes_back_byte_by_byte() -> None:
    run(RULES)
    tables, before = read(), listing()
    replace(dict.fromkeys(tables, ""))
    assert listing() == ""
    replace(tables)
    assert listing() == before


@pytest.mark.usefixtures("own_network")
def test_a_changed_table_a_stray_one_and_a_missing_one_are_mended_at_once() -> None:
    run(RULES)
    tables, before = read(), listing()
    run(f"add rule inet filter input drop; delete table netdev early; {STRAY}")
    replace({"inet filter": tables["inet filter"], "netdev early": tables["netdev early"], "ip stray": ""})
    assert read() == tables
    assert sorted(listing().splitlines()) == sorted(before.splitlines())
    replace({"ip stray": ""})  # it is safe to repeat
    replace({"netdev early": tables["netdev early"]})
    assert read() == tables


@pytest.mark.usefixtures("own_network")
def test_nothing_is_changed_when_a_part_does_not_work() -> None:
    run(RULES)
    before = listing()
    wrong = STRAY.replace("\tdrop", "\tjump nowhere")
    with pytest.raises(OperationError, match="nft failed: "):
        replace({"inet filter": "", "ip stray": wrong})
    assert listing() == before


@pytest.mark.usefixtures("own_network")
def test_what_fills_by_itself_is_no_difference() -> None:
    run(RULES)
    before = nft.settled(read()["inet filter"])
    run("add element inet filter young { 192.0.2.9 . 4 }; delete element inet filter banned { 192.0.2.1 }")
    assert nft.settled(read()["inet filter"]) == before
    run("add element inet filter open { 192.0.2.9 . 4 }")
    assert nft.settled(read()["inet filter"]) != before


@pytest.mark.parametrize(
    "tables",
    [{"ip x; flush ruleset": ""}, {"ip other": STRAY}, {"ip stray": f"{STRAY}flush ruleset\n"}, {"inet": ""}],
)
def test_what_is_no_table_is_refused(tables: dict[str, str]) -> None:
    with pytest.raises(RefusedOperationError):
        replace(tables)


def test_a_host_without_nft_is_told_from_one_without_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firewall, "NFT", "/nowhere/nft")
    with pytest.raises(ProbeError, match="there is no /nowhere/nft on this host"):
        read()
    with pytest.raises(RefusedOperationError, match="there is no /nowhere/nft on this host"):
        replace({"ip stray": ""})


@pytest.mark.usefixtures("own_network")
def test_only_what_root_has_seen_is_brought_back_and_guardians_own() -> None:
    def change(tables: dict[str, str]) -> None:
        asyncio.run(firewall.replace(ReplaceTables(tables)))

    run(RULES)
    before = read()
    run(STRAY)
    for tables in ({"inet filter": ""}, {"ip stray": STRAY.replace("drop", "accept")}, {**before, "ip6 asleep": ""}):
        with pytest.raises(RefusedOperationError, match="root has never seen table"):
            change(tables)
    assert read().keys() - before.keys() == {"ip stray"}
    change({key: nft.settled(text) for key, text in before.items()} | {"ip stray": ""})
    own = STRAY.replace("ip stray", "ip guardian_x")
    change({"ip guardian_x": own})
    assert read().keys() - before.keys() == {"ip guardian_x"}
    change({"ip guardian_x": ""})


def test_nothing_is_brought_back_where_it_cannot_be_told_what_root_has_seen(tmp_path: Path) -> None:
    (tmp_path / "seen").write_text("no folder")
    with pytest.raises(RefusedOperationError, match="cannot be read: Not a directory"):
        asyncio.run(firewall.replace(ReplaceTables({"ip stray": STRAY})))


def test_tables_are_shown_though_it_cannot_be_kept_that_they_were(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "seen").write_text("no folder")
    monkeypatch.setattr(firewall, "_read", lambda _: {"inet filter": "table inet filter {\n}\n"})
    assert list(read()) == ["inet filter"]
