"""The agent is in an enemy's hands: what may it tell a unit, and which port may it redirect?"""

from typing import Any

import msgspec
import pytest
from tests.agent.executor.rules.policies import policy_with

from guardian_agent.executor import rules
from guardian_agent.executor.policy import Policy
from guardian_agent.host.operations import RemoveDropIn, ReplaceTables, WriteDropIn
from guardian_agent.host.redirects import DROP_IN, drop_in_text, table_key, table_text
from guardian_agent.model import Component, Endpoint

WEB = Component(name="web", unit="web.service", listen=Endpoint("0.0.0.0", 80))
VIP = Component(name="vip", unit="vip.service", listen=Endpoint("0.0.0.0", 81))
BARE = Component(name="bare", listen=Endpoint("0.0.0.0", 82))
DEAF = Component(name="deaf", unit="deaf.service")
KEY = table_key("web")
TEXT = table_text("web", Endpoint("0.0.0.0", 80), 20001)


def allowing(**keys: Any) -> Policy:
    policy = policy_with(
        {"rebind_port": keys},
        units=frozenset({"web.service", "deaf.service", "reloaded.service"}),
        protected=frozenset({"vip.service"}),
    )
    policy.config = msgspec.structs.replace(policy.config, components=(WEB, VIP, BARE, DEAF))
    return policy


def test_a_component_may_be_moved_and_moved_back() -> None:
    write = WriteDropIn("web.service", DROP_IN, drop_in_text("PORT", 20001))
    for operation in (
        write,
        RemoveDropIn("web.service", DROP_IN),
        ReplaceTables({KEY: TEXT}),
        ReplaceTables({KEY: ""}),
    ):
        assert rules.refusal(operation, allowing()) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[Service]\nEnvironment=PORT=80\n",
        "[Service]\nEnvironment=PORT=21000\n",
        "[Service]\nEnvironment=PORT=020001\n",
        "[Service]\nEnvironment=PORT=٢٠٠٠١\n",
        "[Service]\nEnvironment=LD_PRELOAD=20001\n",
        "[Service]\nEnvironment=PORT=20001",
        "[Service]\nEnvironment=PORT=20001\n\n",
        "[Service]\nEnvironment=PORT=20001 X=1\n",
        "[Service]\nExecStartPre=/bin/evil\nEnvironment=PORT=20001\n",
        "[Service]\nEnvironment=PORT=20001\nExecStartPre=/bin/evil=20001\n",
        "[Service]\nEnvironment=PORT=20001\r\n",
    ],
)
def test_a_unit_is_told_its_port_and_nothing_else(text: str) -> None:
    assert rules.refusal(WriteDropIn("web.service", DROP_IN, text), allowing())


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        ("vip.service", DROP_IN),
        ("ssh.service", DROP_IN),
        ("../web.service", DROP_IN),
        ("deaf.service", DROP_IN),
        ("reloaded.service", DROP_IN),
        ("", DROP_IN),
        ("web.service", "99-other.conf"),
        ("web.service", "../x.conf"),
    ],
)
def test_no_other_unit_and_no_other_file(unit: str, name: str) -> None:
    for operation in (WriteDropIn(unit, name, drop_in_text("PORT", 20001)), RemoveDropIn(unit, name)):
        assert rules.refusal(operation, allowing())


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (KEY, table_text("web", Endpoint("0.0.0.0", 22), 20001)),
        (KEY, table_text("web", Endpoint("0.0.0.0", 80), 2222)),
        (KEY, table_text("web", Endpoint("10.0.0.9", 80), 20001)),
        (KEY, TEXT.replace("dnat to :20001", "dnat to 10.0.0.9:20001")),
        (KEY, TEXT.replace("fib daddr type local ", "")),
        (KEY, TEXT.replace("\t}\n}", "\t\ttcp dport 22 dnat to :20001\n\t}\n}")),
        (KEY, TEXT + "table ip x {\n}\n"),
        (table_key("vip"), table_text("vip", Endpoint("0.0.0.0", 81), 20001)),
        (table_key("vip"), ""),
        (table_key("bare"), table_text("bare", Endpoint("0.0.0.0", 82), 20001)),
        (table_key("nobody"), ""),
        ("inet guardian_other", ""),
    ],
)
def test_a_table_is_the_redirect_of_one_component_to_the_letter(key: str, text: str) -> None:
    assert rules.refusal(ReplaceTables({key: text}), allowing())
    assert rules.refusal(ReplaceTables({KEY: TEXT, key: text}), allowing()) or key == KEY


def test_the_operator_s_own_variable_and_ports_hold() -> None:
    policy = allowing(variable="SHOP_PORT", ports=(30000, 30009))
    assert rules.refusal(WriteDropIn("web.service", DROP_IN, drop_in_text("SHOP_PORT", 30009)), policy) == ""
    assert rules.refusal(WriteDropIn("web.service", DROP_IN, drop_in_text("PORT", 30009)), policy)
    assert rules.refusal(WriteDropIn("web.service", DROP_IN, drop_in_text("SHOP_PORT", 20001)), policy)


def test_nothing_without_the_playbook() -> None:
    policy = policy_with({"rebind_port": {}}, enabled=False, units=frozenset({"web.service"}))
    policy.config = msgspec.structs.replace(policy.config, components=(WEB,))
    for operation in (RemoveDropIn("web.service", DROP_IN), ReplaceTables({KEY: TEXT})):
        assert "enabled is false" in rules.refusal(operation, policy)
