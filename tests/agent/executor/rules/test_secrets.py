"""A compromised agent asks for what it likes: only what root declared is renewed, by what root declared."""

from pathlib import Path

import msgspec
import pytest

from guardian_agent.config import AgentConfig, PlaybookSettings, load
from guardian_agent.executor.policy import Policy
from guardian_agent.executor.rules import refusal, refusal_to_tell
from guardian_agent.host.operations import CheckSecret, PutBackSecret, ReloadUnit, RenewSecret, RootOperation
from guardian_agent.host.questions import ReadVitals
from guardian_agent.model import Mode

CONFIG = """
[agent]
mode = "heal"
[[component]]
name = "web"
unit = "web.service"
[[component.secret]]
path = "/etc/web/tls.pem"
key = "/etc/web/tls.key"
max_age_s = 100
renew = ["/usr/local/bin/new", "web"]
check = ["/usr/local/bin/try", "web"]
reload = "web.service"
[[component.secret]]
path = "/etc/web/reported"
max_age_s = 100
"""
PEM, KEY = "/etc/web/tls.pem", "/etc/web/tls.key"
NEW, TRY = ("/usr/local/bin/new", "web"), ("/usr/local/bin/try", "web")


@pytest.fixture
def config(tmp_path: Path) -> AgentConfig:
    file = tmp_path / "agent.toml"
    file.write_text(CONFIG)
    return load(file, probe_fields={}, playbook_fields={}, issue_types=set())


def policy(config: AgentConfig) -> Policy:
    return Policy(config, units=frozenset({"web.service", "user.service"}), protected=frozenset({"sshd.service"}))


@pytest.mark.parametrize(
    "operation",
    [
        RenewSecret(PEM, NEW, KEY),
        CheckSecret(PEM, TRY),
        PutBackSecret(PEM),
        PutBackSecret(PEM, "web.service"),
        ReloadUnit("web.service"),
        ReloadUnit("user.service"),
    ],
)
def test_what_is_declared_is_done(config: AgentConfig, operation: RootOperation) -> None:
    assert refusal(operation, policy(config)) == ""


@pytest.mark.parametrize(
    "operation",
    [
        RenewSecret("/etc/shadow", NEW),
        RenewSecret("/etc/web/reported", NEW),
        RenewSecret("/etc/web/../web/tls.pem", NEW, KEY),
        RenewSecret(f"{PEM}/", NEW, KEY),
        RenewSecret(KEY, NEW),
        RenewSecret(PEM, NEW),
        RenewSecret(PEM, NEW, "/etc/shadow"),
        RenewSecret(PEM, (*NEW, "--more"), KEY),
        RenewSecret(PEM, ("/bin/sh", "-c", "id"), KEY),
        RenewSecret(PEM, (), KEY),
        RenewSecret(PEM, TRY, KEY),
        RenewSecret(PEM, NEW, KEY, timeout_s=1e9),
        RenewSecret(PEM, NEW, KEY, timeout_s=0.0),
        CheckSecret(PEM, NEW),
        CheckSecret(PEM, ()),
        CheckSecret("/etc/shadow", TRY),
        CheckSecret(PEM, TRY, timeout_s=float("nan")),
        PutBackSecret("/etc/shadow"),
        PutBackSecret("/etc/web/reported"),
        PutBackSecret(PEM, "sshd.service"),
        ReloadUnit("sshd.service"),
        ReloadUnit("init.scope"),
        ReloadUnit(""),
    ],
)
def test_what_is_not_declared_is_refused(config: AgentConfig, operation: RootOperation) -> None:
    assert refusal(operation, policy(config))


def test_it_is_refused_where_the_playbook_is_off_and_where_nothing_may_be_changed(config: AgentConfig) -> None:
    off = msgspec.structs.replace(config, playbooks={"rotate_secrets": PlaybookSettings(enabled=False)})
    assert "enabled is false" in refusal(RenewSecret(PEM, NEW, KEY), policy(off))
    observing = msgspec.structs.replace(config, mode=Mode.OBSERVE)
    assert refusal(ReloadUnit("web.service"), policy(observing)) == "the mode is observe"


def test_a_longer_time_is_allowed_where_root_says_so(config: AgentConfig) -> None:
    longer = {"rotate_secrets": PlaybookSettings(own={"renew_within_s": 300.0})}
    renew = RenewSecret(PEM, NEW, KEY, timeout_s=300.0)
    assert refusal(renew, policy(config)) == "it may take 60 s at most"
    assert refusal(renew, policy(msgspec.structs.replace(config, playbooks=longer))) == ""


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (ReadVitals("web.service"), True),
        (ReadVitals("sshd.service"), False),
        (ReadVitals("web.service", most=0), False),
        (ReadVitals("web.service", most=100_000), False),
    ],
)
def test_only_the_units_of_components_are_looked_into(config: AgentConfig, question: ReadVitals, told: bool) -> None:
    assert (refusal_to_tell(question, policy(config)) == "") is told
