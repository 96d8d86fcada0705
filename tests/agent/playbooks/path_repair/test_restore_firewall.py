import msgspec
import pytest
from tests.agent.fake_firewall import table
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import PORT, WEB, Scene, nginx, running, until
from tests.agent.playbooks.pages import example_steps
from tests.agent.playbooks.situations import situation
from tests.agent.playbooks.test_playbooks import NoJournal

from guardian_agent.config import PlaybookSettings
from guardian_agent.detection.first_sight import Interests, sight
from guardian_agent.errors import CannotPlanError, ProbeError
from guardian_agent.healing.ladders import DEFAULT_LADDERS
from guardian_agent.host import Answer, KnownGood
from guardian_agent.host.name_files import PACKAGES
from guardian_agent.host.operations import ReplaceTables
from guardian_agent.host.questions import ReadRuleset
from guardian_agent.model import Endpoint, Outcome, StepRecord, Tier
from guardian_agent.playbooks.path_repair.restore_firewall import RestoreFirewall

ASKED = situation(WEB, "firewall_block")
KEY = "inet filter"
OPEN = table(KEY, "tcp dport { 22, 80 } accept", policy="drop")
SHUT = table(KEY, "tcp dport 22 accept", policy="drop")
STRAY = table("inet stray", "tcp dport 80 drop")
REDIRECT = table("ip ahead", "tcp dport 8080 redirect to :80")
IPTABLES = "table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}\n"
BANNED = """table inet bans {
	set banned {
		type ipv4_addr
		flags timeout
		elements = { 192.0.2.1 timeout 1h }
	}

	chain input {
		type filter hook input priority filter; policy accept;
		ip saddr @banned drop
	}
}
"""


async def good_host(**tables: str) -> FakeHost:
    """A host that was seen with a firewall that was good."""
    host = FakeHost()
    host.files.put(PACKAGES, "", modified_wall_s=1_700_000_000.0)
    host.firewall.tables = {KEY: OPEN} | {name.replace("_", " "): text for name, text in tables.items()}
    host.known.good = await sight(host, Interests())
    return host


async def restored(host: FakeHost) -> list[StepRecord]:
    steps = await RestoreFirewall().dry_run(ASKED, host)
    await RestoreFirewall().execute(steps, host, NoJournal(), 120.0)
    return steps


async def test_a_new_table_is_taken_away_a_changed_one_put_back_and_undoing_brings_back_what_was_found() -> None:
    host = await good_host(ip_mine=table("ip mine", "tcp dport 25 accept"))
    good = dict(host.firewall.tables)
    host.firewall.tables = {KEY: SHUT, "inet stray": STRAY}
    steps = await restored(host)
    assert [step.describe for step in steps] == example_steps("restore_firewall")
    assert host.firewall.tables == good
    await RestoreFirewall().rollback(steps, host, NoJournal(), 120.0)
    assert host.firewall.tables == {KEY: SHUT, "inet stray": STRAY}


async def test_it_is_one_step_so_that_no_half_of_it_can_be_left() -> None:
    host = await good_host()
    host.firewall.tables |= {KEY: SHUT, "inet stray": STRAY}
    plan = await RestoreFirewall().plan(ASKED, host)
    assert plan.steps[0].do == ReplaceTables({KEY: OPEN, "inet stray": ""}) and len(plan.steps) == 1
    assert plan.findings["tables"] == {KEY: "changed", "inet stray": "new"}


async def test_who_is_banned_by_then_is_no_difference_and_comes_back_when_undone() -> None:
    host = await good_host(inet_bans=BANNED)
    more = BANNED.replace("timeout 1h }", "timeout 1h, 192.0.2.2 timeout 1h }")
    host.firewall.tables["inet bans"] = more
    with pytest.raises(CannotPlanError, match="as it was seen good"):
        await RestoreFirewall().plan(ASKED, host)
    worse = host.firewall.tables["inet bans"] = more.replace("\t\tip saddr @banned drop", "\t\tdrop")
    steps = await restored(host)
    assert host.firewall.tables["inet bans"] == BANNED.replace("\t\telements = { 192.0.2.1 timeout 1h }\n", "")
    await RestoreFirewall().rollback(steps, host, NoJournal(), 120.0)
    assert host.firewall.tables["inet bans"] == worse


async def test_what_cannot_block_and_guardians_own_tables_are_left() -> None:
    host = await good_host(ip_strict=table("ip strict", policy="drop").replace("accept", ""))
    del host.firewall.tables["ip strict"]  # without it more gets through, not less
    host.firewall.tables["inet guardian_rebind_web"] = STRAY.replace("stray", "guardian_rebind_web")
    host.firewall.tables["ip count"] = table("ip count", "counter")
    with pytest.raises(
        CannotPlanError, match="nothing that differs in the firewall can block anything: table ip strict"
    ):
        await RestoreFirewall().plan(ASKED, host)


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("ip filter", IPTABLES, "table ip filter is that of iptables"),
        ("inet xt", table("inet xt", "# xt_comment", "drop"), "what nft prints in no table"),
        ("inet held", table("inet held", "drop").replace("{\n", "{\n\tflags owner\n", 1), "has it open"),
        (
            "ip ahead",
            REDIRECT.replace("redirect", "drop\n\t\ttcp dport 1 redirect"),
            "sends packets elsewhere (redirect)",
        ),
    ],
)
async def test_what_could_not_be_put_back_is_shown_and_left(key: str, text: str, why: str) -> None:
    host = await good_host()
    host.firewall.tables[key] = text
    with pytest.raises(CannotPlanError) as refused:
        await RestoreFirewall().plan(ASKED, host)
    assert why in str(refused.value)
    host.firewall.tables["inet stray"] = STRAY
    plan = await RestoreFirewall().plan(ASKED, host)
    assert plan.steps[0].do == ReplaceTables({"inet stray": ""}) and why in plan.findings["left"][key]


async def test_an_operator_lets_it_put_back_what_sends_packets_elsewhere() -> None:
    host = await good_host(ip_ahead=REDIRECT)
    del host.firewall.tables["ip ahead"]
    plan = await RestoreFirewall(diverting=True).plan(ASKED, host)
    assert plan.steps[0].do == ReplaceTables({"ip ahead": REDIRECT})


async def test_a_host_whose_good_firewall_is_not_known_is_left_alone() -> None:
    host = FakeHost()
    host.firewall.tables["inet stray"] = STRAY
    with pytest.raises(CannotPlanError, match="no firewall was ever seen good"):
        await RestoreFirewall().plan(ASKED, host)


async def test_packages_that_changed_meanwhile_may_have_brought_the_rules() -> None:
    host = await good_host()
    host.firewall.tables["inet stray"] = STRAY
    host.files.put(PACKAGES, "", modified_wall_s=1_700_000_500.0)
    with pytest.raises(CannotPlanError, match="packages were installed or removed since"):
        await RestoreFirewall().plan(ASKED, host)


async def test_without_anybody_who_can_read_the_rules_nothing_is_planned() -> None:
    host = await good_host()
    host.answers[ReadRuleset] = ProbeError("there is no /usr/sbin/nft on this host")
    with pytest.raises(ProbeError, match="no /usr/sbin/nft"):
        await RestoreFirewall().plan(ASKED, host)


LEFT = {"restore_firewall": PlaybookSettings(tier=Tier.AUTOMATIC)}


async def known(scene: Scene) -> None:
    await until(lambda: scene.host.known.good.firewall is not None)


async def test_a_blocked_service_is_served_again_and_its_process_is_left_alone() -> None:
    host = FakeHost()
    nginx(host)
    async with running(host, WEB, playbooks=LEFT) as scene:
        await known(scene)
        host.firewall.tables["inet stray"] = STRAY
        await until(lambda: bool(scene.remedies) and scene.remedies[-1].outcome is not None)
        assert scene.outcomes == [("restore_firewall", Outcome.HEALED)]
        assert host.firewall.tables == {} and host.changes() == ["nft delete table inet stray"]


async def test_a_rule_that_is_not_why_comes_back_and_a_human_is_called() -> None:
    host = FakeHost()
    nginx(host)
    async with running(host, WEB, playbooks=LEFT) as scene:
        await known(scene)
        other = host.firewall.tables["inet other"] = table("inet other", "tcp dport 25 drop")
        host.firewall.drops = lambda port: port == PORT.port  # type: ignore[method-assign]
        await until(lambda: bool(scene.pages))
        assert scene.outcomes == [("restore_firewall", Outcome.INEFFECTIVE)]
        assert host.firewall.tables == {"inet other": other}


async def test_a_host_that_keeps_itself_from_another_mends_that_and_does_not_blame_the_other() -> None:
    host = FakeHost()
    nginx(host)
    there = Endpoint("198.19.0.10", 5432)
    needing = msgspec.structs.replace(WEB, depends_on=(str(there),))
    host.sockets.answers[there] = Answer(connected=True)
    async with running(host, needing, playbooks=LEFT) as scene:
        await known(scene)
        host.firewall.tables["inet stray"] = table("inet stray", "ip daddr 198.19.0.10 drop")
        host.sockets.answers[there] = Answer(connected=False, timed_out=True, dropped_here=True)
        await until(lambda: "nft delete table inet stray" in host.changes())
        host.sockets.answers[there] = Answer(connected=True)
        await until(lambda: bool(scene.remedies) and scene.remedies[-1].outcome is not None)
        assert scene.outcomes == [("restore_firewall", Outcome.HEALED)] and scene.pages == []


async def test_where_the_firewall_is_as_it_was_sessions_are_mended_by_the_next_rung() -> None:
    host = FakeHost()
    host.known.good = KnownGood(firewall={})
    ladder = DEFAULT_LADDERS["session_dropped"]
    assert ladder[:2] == ("restore_firewall", "restart_service")
    with pytest.raises(CannotPlanError, match="the firewall is as it was seen good"):
        await RestoreFirewall().plan(situation(WEB, "session_dropped"), host)
