import asyncio

import msgspec
import pytest
from tests.agent.fake_host import WALL_S, FakeHost
from tests.agent.healing.scene import WEB, nginx, running, until
from tests.agent.playbooks.pages import example_steps
from tests.agent.playbooks.situations import situation
from tests.agent.playbooks.test_playbooks import NoJournal

from guardian_agent.config import PlaybookSettings
from guardian_agent.errors import CannotPlanError
from guardian_agent.model import Certificate, Component, Outcome, Secret, StepState, Tier
from guardian_agent.playbooks.auto_heal.rotate_secrets import RotateSecrets
from guardian_agent.playbooks.base import Plan
from guardian_agent.playbooks.steps import StepFailedError

PEM, KEY, TOKEN = "/etc/web/tls.pem", "/etc/web/tls.key", "/etc/web/token"
SITE = Secret(
    path=PEM, key=KEY, max_age_s=1000.0, renew=("/usr/local/bin/new-certificate",),
    check=("/usr/local/bin/try-certificate", "web"), reload="nginx.service",
)  # fmt: skip
API = Secret(path=TOKEN, max_age_s=100.0, renew=("/usr/local/bin/new-token",), check=("/usr/local/bin/try-token",))
SECURE = msgspec.structs.replace(WEB, certificate=Certificate(file=PEM), secrets=(SITE, API))


def host_with_secrets(token_age_s: float = 0.0) -> FakeHost:
    host = FakeHost()
    nginx(host)
    now = WALL_S + asyncio.get_running_loop().time()
    host.files.put(PEM, "old certificate", modified_wall_s=now)
    host.files.put(TOKEN, "old token", modified_wall_s=now - token_age_s)
    return host


async def plan(host: FakeHost, issue_type: str = "certificate_expiring", component: Component = SECURE) -> Plan:
    return await RotateSecrets().plan(situation(component, issue_type), host)


def typed(plan: Plan) -> list[str]:
    return [step.do.describe() for step in plan.steps]


@pytest.mark.parametrize("issue_type", ["certificate_expiring", "certificate_wrong"])
async def test_a_certificate_that_is_a_declared_secret_is_renewed_loaded_and_proven(issue_type: str) -> None:
    found = await plan(host_with_secrets(), issue_type)
    assert typed(found) == example_steps("rotate_secrets")
    undo = found.steps[0].undo
    assert undo is not None and undo.describe() == f"put back the old {PEM}; systemctl reload-or-restart nginx.service"
    assert [step.undo for step in found.steps[1:]] == [None, None]
    assert found.postconditions == ("l6_certificate",)


async def test_every_secret_that_is_due_is_renewed_and_no_other() -> None:
    assert typed(await plan(host_with_secrets(90.0), "secret_expiring")) == [
        f"renew {TOKEN} by /usr/local/bin/new-token",
        f"check {TOKEN} by /usr/local/bin/try-token",
    ]
    host = host_with_secrets(90.0)
    host.files.put(PEM, "old certificate", modified_wall_s=WALL_S - 1000.0)
    assert len(typed(await plan(host, "secret_expiring"))) == 5
    with pytest.raises(CannotPlanError, match="no secret of web is old"):
        await plan(host_with_secrets(89.0), "secret_expiring")


async def test_who_is_down_is_not_started_by_a_new_secret() -> None:
    host = host_with_secrets()
    host.units.by_name["nginx.service"].go_down()
    found = await plan(host)
    undo = found.steps[0].undo
    assert len(found.steps) == 2 and undo is not None and undo.describe() == f"put back the old {PEM}"


@pytest.mark.parametrize(
    ("component", "why"),
    [
        (msgspec.structs.replace(SECURE, secrets=(API,)), "is no declared secret"),
        (msgspec.structs.replace(SECURE, certificate=None), "is no declared secret"),
        (msgspec.structs.replace(SECURE, secrets=(Secret(path=PEM, max_age_s=9.0),)), "can only be reported"),
        (
            msgspec.structs.replace(SECURE, secrets=(msgspec.structs.replace(SITE, reload="gone.service"),)),
            "systemd says gone.service, which uses /etc/web/tls.pem, is not-found",
        ),
    ],
)
async def test_it_says_why_it_is_no_remedy(component: Component, why: str) -> None:
    with pytest.raises(CannotPlanError, match=why):
        await plan(host_with_secrets(), component=component)


async def test_a_secret_that_is_missing_and_one_of_a_protected_unit_are_left_alone() -> None:
    host = host_with_secrets()
    host.units.aliases["nginx.service"] = "real.service"
    protecting = msgspec.structs.replace(situation(SECURE, "certificate_wrong"), protected=frozenset({"real.service"}))
    with pytest.raises(CannotPlanError, match=r"nginx\.service, which uses .* is protected"):
        await RotateSecrets().plan(protecting, host)
    host = host_with_secrets()
    host.files.remove(PEM)
    with pytest.raises(CannotPlanError, match="is missing"):
        await plan(host)


async def test_undoing_puts_the_old_one_back_with_its_date_and_reloads() -> None:
    host = host_with_secrets()
    before = dict(host.files.contents), dict(host.files.states)
    steps = [step.as_record() for step in (await plan(host)).steps]
    await RotateSecrets().execute(steps, host, NoJournal(), 60.0)
    assert host.files.contents[PEM] == "new" and host.reloaded == ["nginx.service"]
    await RotateSecrets().rollback(steps, host, NoJournal(), 60.0)
    assert (host.files.contents, host.files.states) == before
    assert host.reloaded == ["nginx.service"] * 2


async def test_a_renewal_that_fails_changes_nothing_and_is_not_taken_back() -> None:
    host = host_with_secrets()
    host.secrets.makes[PEM] = None
    steps = [step.as_record() for step in (await plan(host)).steps]
    with pytest.raises(StepFailedError, match="exit code 1"):
        await RotateSecrets().execute(steps, host, NoJournal(), 60.0)
    await RotateSecrets().rollback(steps, host, NoJournal(), 60.0)
    assert host.files.contents[PEM] == "old certificate" and host.reloaded == []
    assert steps[0].state == StepState.PLANNED


LEAVE = {"rotate_secrets": PlaybookSettings(tier=Tier.AUTOMATIC)}


@pytest.mark.parametrize("works", [True, False])
async def test_a_secret_that_gets_old_is_healed_by_one_that_works_only(works: bool) -> None:
    host = host_with_secrets()
    component = msgspec.structs.replace(WEB, secrets=(API,))
    host.secrets.accepts = lambda content: works
    async with running(host, component, playbooks=LEAVE) as scene:
        await until(lambda: bool(scene.remedies and scene.remedies[0].outcome), within_s=300.0)
        (remedy, *_) = scene.remedies
        content = host.files.contents[TOKEN]
    assert remedy.outcome == (Outcome.HEALED if works else Outcome.ROLLED_BACK)
    assert content == ("new" if works else "old token")


async def test_a_new_secret_that_does_not_end_the_fault_is_taken_back() -> None:
    host = host_with_secrets()
    component = msgspec.structs.replace(WEB, secrets=(API,))
    async with running(host, component, playbooks=LEAVE) as scene:
        put = host.files.put
        host.files.put = lambda path, content="", *, modified_wall_s=0.0: put(path, content, modified_wall_s=0.0)  # type: ignore[method-assign]
        await until(lambda: bool(scene.remedies and scene.remedies[0].outcome), within_s=300.0)
        (remedy, *_) = scene.remedies
    assert remedy.outcome == Outcome.INEFFECTIVE
    assert host.files.contents[TOKEN] == "old token"


async def test_without_leave_it_is_denied() -> None:
    host = host_with_secrets()
    async with running(host, msgspec.structs.replace(WEB, secrets=(API,))) as scene:
        await until(lambda: bool(scene.remedies), within_s=300.0)
    assert scene.outcomes[0] == ("rotate_secrets", Outcome.DENIED)
    assert host.files.contents[TOKEN] == "old token"
