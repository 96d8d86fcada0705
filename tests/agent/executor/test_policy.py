"""What root's configuration allows, and that it allows nothing when it cannot be trusted."""

import os

import msgspec
import pytest
from tests.agent.executor.fakes import CONFIG, Stage, read_config

from guardian_agent.config import PlaybookSettings
from guardian_agent.errors import ConfigError, ProbeError
from guardian_agent.executor import policy as policy_module
from guardian_agent.executor.policy import Policy, PolicyError, Purpose
from guardian_agent.executor.rules import refusal, refusal_to_tell
from guardian_agent.host import RouteEntry
from guardian_agent.host.operations import AddRoute, SetLink, WriteText
from guardian_agent.host.questions import ReadRuleset
from guardian_agent.model import Tier

SECRET = """
[[component.secret]]
path = "/etc/web/key"
max_age_s = 60
renew = ["/usr/bin/renew"]
check = ["/usr/bin/check"]
reload = "proxy.service"
"""


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


async def test_the_units_are_those_that_are_named(stage):
    stage.file.write_text(stage.file.read_text() + SECRET)
    policy = await stage.policies.current()
    assert policy.units == {"web.service", "proxy.service"}
    assert policy.protected >= {"sshd.service", "guardian-agent.service", "guardian-executor.service", "init.scope"}


async def test_a_unit_goes_by_both_its_names(stage):
    stage.names.aliases = {"web.service": "nginx.service"}
    assert (await stage.policies.current()).units == {"web.service", "nginx.service"}


async def test_an_alias_of_a_protected_unit_is_protected(stage):
    stage.names.aliases = {"web.service": "ssh.service", "sshd.service": "ssh.service"}
    policy = await stage.policies.current()
    assert policy.units == frozenset()
    assert "ssh.service" in policy.protected


async def test_what_starts_a_protected_unit_is_protected_and_so_is_its_component(stage):
    stage.file.write_text(stage.file.read_text().replace("web.service", "web.socket"))
    (web,) = (await stage.policies.current()).config.components
    assert (await stage.policies.current()).is_free(web)
    stage.names.triggered = {"web.socket": ("sshd.service",)}
    stage.file.write_text(stage.file.read_text() + "\n")
    policy = await stage.policies.current()
    assert not policy.is_free(web) and "web.socket" in policy.protected - policy.units


async def test_without_systemd_no_unit_can_be_told_and_it_is_asked_again(stage):
    stage.names.failure = ProbeError("no bus")
    policy = await stage.policies.current()
    assert policy.halted() == ""
    for names in (lambda: policy.units, lambda: policy.protected):
        with pytest.raises(PolicyError, match="no bus"):
            names()
    stage.names.failure = None
    assert (await stage.policies.current()).units == {"web.service"}


async def test_a_change_of_the_file_counts_at_once_and_nothing_is_read_without_one(stage, tmp_path):
    before = await stage.policies.current()
    assert await stage.policies.current() is before
    stage.file.write_text(CONFIG.format(folder=tmp_path).replace("web.service", "app.service"))
    assert (await stage.policies.current()).units == {"app.service"}


async def test_names_are_asked_for_again_after_a_while(stage, monkeypatch):
    before = await stage.policies.current()
    monkeypatch.setattr(policy_module, "STALE_S", 0.0)
    assert await stage.policies.current() is not before


async def test_a_broken_configuration_allows_nothing_though_the_last_one_did(stage):
    await stage.policies.current()
    stage.file.write_text("[agent]\nmode = 1\n")
    with pytest.raises(PolicyError, match=r"cannot be used: .*agent\.toml:2"):
        await stage.policies.current()


async def test_no_configuration_allows_nothing(stage):
    stage.file.unlink()
    with pytest.raises((PolicyError, ConfigError)):
        await stage.policies.current()


async def test_a_configuration_of_somebody_elses_allows_nothing(stage):
    await stage.policies.current()
    stage.file.chmod(0o666)
    with pytest.raises(PolicyError, match="must not be writable by others than root"):
        await stage.policies.current()
    stage.file.chmod(0o644)
    stage.policies._owner = os.getuid() + 1
    with pytest.raises(PolicyError, match="must belong to root"):
        await stage.policies.current()


async def test_observe_and_the_hold_file_halt_everything(stage, tmp_path):
    hold = tmp_path / "hold"
    hold.symlink_to("/nowhere")
    assert "the hold file" in (await stage.policies.current()).halted()
    hold.unlink()
    assert (await stage.policies.current()).halted() == ""
    stage.file.write_text(CONFIG.format(folder=tmp_path).replace('"heal"', '"observe"'))
    assert (await stage.policies.current()).halted() == "the mode is observe"


def test_a_playbook_that_is_switched_off_allows_nothing(stage):
    config = read_config(stage.file)
    assert Policy(config).playbook("restart_service").playbook_id() == "restart_service"
    with pytest.raises(PolicyError, match="there is no playbook make_coffee"):
        Policy(config).playbook("make_coffee")
    switched_off = msgspec.structs.replace(config, playbooks={"restart_service": PlaybookSettings(enabled=False)})
    with pytest.raises(PolicyError, match="enabled is false"):
        Policy(switched_off).playbook("restart_service")


def test_a_playbook_that_needs_an_approval_may_not_act_until_root_says_that_it_needs_none(stage):
    config = read_config(stage.file)
    with pytest.raises(PolicyError) as caught:
        Policy(config).playbook("restore_resolver")
    assert str(caught.value) == (
        "restore_resolver is of tier 2 and needs an approval, which nobody can give yet; "
        "`tier = 1` under [playbooks.restore_resolver] lets it act without"
    )
    lowered = msgspec.structs.replace(config, playbooks={"restore_resolver": PlaybookSettings(tier=Tier.AUTOMATIC)})
    assert Policy(lowered).playbook("restore_resolver").playbook_id() == "restore_resolver"
    raised = msgspec.structs.replace(config, playbooks={"restart_service": PlaybookSettings(tier=Tier.TWO_APPROVERS)})
    with pytest.raises(PolicyError, match="restart_service is of tier 3"):
        Policy(raised).playbook("restart_service")


def test_what_mode_heal_alone_allows_rewrites_no_file_that_names_are_resolved_by(stage):
    policy = Policy(read_config(stage.file), protected=frozenset({"init.scope"}))
    hosts = WriteText("/etc/hosts", b"6.6.6.6 example.org\n")
    assert "restore_resolver is of tier 2" in refusal(hosts, policy)
    assert refusal(SetLink("eth0", up=True), policy) == ""


def test_looking_needs_no_approval(stage):
    policy = Policy(read_config(stage.file), protected=frozenset({"init.scope"}))
    assert refusal_to_tell(ReadRuleset(), policy.asked_to(Purpose.LOOK)) == ""
    with pytest.raises(PolicyError):
        policy.playbook("restore_firewall")  # the policy itself is as it was


def test_several_playbooks_may_do_the_same_and_one_that_may_is_enough(stage):
    off = {"bounce_link": PlaybookSettings(tier=Tier.ONE_APPROVER)}
    config = msgspec.structs.replace(read_config(stage.file), playbooks=off)
    route = AddRoute(RouteEntry(destination="198.18.0.0/24", interface="eth0"))
    assert refusal(route, Policy(config)) == ""
    off["restore_route"] = PlaybookSettings(tier=Tier.ONE_APPROVER)
    config = msgspec.structs.replace(config, playbooks=off)
    assert "is of tier 2 and needs an approval" in refusal(route, Policy(config))


def test_only_taking_back_goes_on_under_the_hold_file(stage, tmp_path):
    (tmp_path / "hold").touch()
    policy = Policy(read_config(stage.file), protected=frozenset({"init.scope"}))
    assert "the hold file" in policy.asked_to(Purpose.LOOK).halted()
    assert policy.asked_to(Purpose.TAKE_BACK).halted() == ""
    assert "tier 2" in refusal(WriteText("/etc/hosts", b""), policy.asked_to(Purpose.TAKE_BACK))


def test_what_is_armed_has_the_time_that_the_slowest_component_needs(stage):
    config = read_config(stage.file)
    assert Policy(config).most_armed_s == 320.0
    slow = msgspec.structs.replace(config.components[0], start_grace_s=900.0)
    assert Policy(msgspec.structs.replace(config, components=(slow,))).most_armed_s == 1200.0
