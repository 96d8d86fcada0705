"""The agent is in an enemy's hands: it sends whatever it likes."""

import pytest
from tests.agent.executor.rules.policies import policy_with
from tests.agent.fake_firewall import table

from guardian_agent.executor import rules
from guardian_agent.host.operations import ReplaceTables
from guardian_agent.host.questions import ReadRuleset

POLICY = policy_with({})
KEY = "inet filter"
GOOD = table(KEY, "ct state established,related accept", "log prefix \"} include 'x' { $# \" reject with tcp reset")


def refused(text: str, key: str = KEY) -> str:
    return rules.refusal(ReplaceTables({key: text}), POLICY)


def test_tables_may_be_put_back_and_deleted() -> None:
    assert rules.refusal(ReplaceTables({KEY: GOOD, "ip stray": ""}), POLICY) == ""
    assert (
        refused(GOOD.replace("filter hook input", "route hook output").replace("reject", "meta mark set 0x1 reject"))
        == ""
    )
    assert refused(f"table {KEY} {{\n\tset open {{\n\t\ttype ipv4_addr\n\t}}\n}}\n") == ""
    assert rules.refusal_to_tell(ReadRuleset(), POLICY) == ""


@pytest.mark.parametrize(
    "text",
    [
        GOOD + "flush ruleset\n",
        GOOD + 'include "/etc/shadow"\n',
        GOOD + table("inet other"),
        table("inet other"),
        GOOD.replace("\t\tct", '\t\tinclude "/etc/shadow"\n\t\tct'),
        GOOD.replace("\t\tct", '\t\tinclude "/root/*"\n\t\tct'),
        GOOD.replace("\t\tct", '\t\t3include "/root/*"\n\t\tct'),
        GOOD.replace("\tchain", "\tdefine x = 1\n\tchain", 1),
        GOOD.replace("\tchain", "\t}\n}\ntable ip other {\n\tchain", 1),
        GOOD.replace("\tchain", "\t# }\n\tchain", 1),
        GOOD.replace("accept", "accept \\"),
        GOOD.replace("accept", "$x"),
        GOOD.replace("accept", 'accept comment "'),
        GOOD.replace("accept", 'accept comment "a\nb"'),
        GOOD.replace("accept", "accept\r"),
        GOOD.replace("accept", "accept\0"),
        GOOD.replace("accept", "accept\ud800"),
        GOOD.replace("accept", "\u0430ccept"),
        GOOD[:-2],
        GOOD[:-2] + "}}\n",
        f"add {GOOD}",
        f"flush ruleset; {GOOD}",
        f"table {KEY} {{ }} ; flush ruleset\n",
        "{",
        " ",
    ],
)
def test_nothing_but_the_one_table_as_nft_prints_it(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "inet",
        "inet ",
        "inet filter ",
        "inet filter; flush ruleset",
        "inet {",
        "inet a b",
        "ip\tx",
        "host x",
        "inet x\n",
    ],
)
def test_no_name_but_one(key: str) -> None:
    assert "is no name of a table" in refused("", key)


@pytest.mark.parametrize("name", ["guardian_", "guardian_x"])
def test_of_guardians_own_tables_none_is_touched_but_those_that_a_playbook_makes(name: str) -> None:
    assert "none that a playbook makes" in refused("", f"inet {name}")


def test_the_table_of_a_redirect_takes_no_other_rules() -> None:
    key = "inet guardian_rebind_web"
    assert refused(GOOD.replace(KEY, key), key)


@pytest.mark.parametrize(
    "rule",
    [
        "dnat to 192.0.2.1",
        "tcp dport 3dnat to 192.0.2.1",
        "redirect to :9",
        "snat to 192.0.2.1",
        "masquerade",
        "queue to 0",
        "dup to 192.0.2.1",
        'fwd to "eth1"',
        "tproxy to :9",
        "synproxy mss 1460",
        "ip daddr set 192.0.2.1",
        "tcp dport set 9",
        "ether daddr set 02:00:00:00:00:01",
        "@th,16,16 set 9",
    ],
)
def test_packets_are_sent_elsewhere_only_where_root_says_so(rule: str) -> None:
    operation = ReplaceTables({KEY: table(KEY, rule)})
    assert "would send packets elsewhere" in rules.refusal(operation, POLICY)
    assert rules.refusal(operation, policy_with({"restore_firewall": {"diverting": True}})) == ""


def test_sizes_have_limits() -> None:
    long = table(KEY, "accept" * 30_000)
    assert refused(long) == ""
    assert "are longer than 262144 bytes" in rules.refusal(
        ReplaceTables({KEY: long, "ip x": table("ip x", "accept" * 30_000)}), POLICY
    )
    assert "may be replaced at once" in rules.refusal(ReplaceTables({}), POLICY)
    assert "may be replaced at once" in rules.refusal(ReplaceTables({f"ip t{n}": "" for n in range(101)}), POLICY)


def test_a_host_whose_operator_wants_none_of_it_keeps_its_firewall() -> None:
    policy = policy_with({"restore_firewall": {}, "rebind_port": {}}, enabled=False)
    assert "enabled is false" in rules.refusal(ReplaceTables({"ip stray": ""}), policy)
    assert rules.refusal_to_tell(ReadRuleset(), policy)
