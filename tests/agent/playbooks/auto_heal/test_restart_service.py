import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import SHOP, WEB, nginx
from tests.agent.playbooks.pages import example_steps
from tests.agent.playbooks.situations import situation

from guardian_agent.errors import CannotPlanError
from guardian_agent.playbooks.auto_heal.restart_service import RestartService

DRAINED = msgspec.structs.replace(WEB, drain=("/usr/local/bin/drain", "web"))


async def steps(host: FakeHost, issue_type: str, attempts: int = 0) -> list[str]:
    planned = await RestartService().dry_run(situation(DRAINED, issue_type, attempts=attempts), host)
    return [step.describe for step in planned]


async def test_a_misbehaving_service_is_drained_and_a_hung_one_killed() -> None:
    host = FakeHost()
    unit = nginx(host)
    restart = "systemctl restart nginx.service"
    assert await steps(host, "http_error") == ["/usr/local/bin/drain web", restart]
    assert await steps(host, "service_hung") == ["systemctl kill --signal=SIGKILL nginx.service", restart]
    unit.crash()
    assert await steps(host, "service_failed") == ["systemctl start nginx.service"]


async def test_it_does_what_its_page_says() -> None:
    host = FakeHost()
    nginx(host)
    assert await steps(host, "http_error") == example_steps("restart_service")


async def test_a_component_that_is_no_unit_is_not_its_business() -> None:
    for component in (SHOP, None):
        with pytest.raises(CannotPlanError):
            await RestartService().plan(situation(component), FakeHost())
