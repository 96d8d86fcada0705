import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB, nginx
from tests.agent.playbooks.situations import NOW, saw, situation

from guardian_agent.detection.looking import Look
from guardian_agent.errors import CannotPlanError, ProbeError
from guardian_agent.model import Reading
from guardian_agent.playbooks.base import Plan
from guardian_agent.playbooks.unit_restart import is_deaf, plan_unit_restart

NAME = "nginx.service"
HUNG = Look(at=NOW, reading=Reading(ok=False, issue_type="service_hung"))


def typed(plan: Plan) -> list[str]:
    return [step.do.describe() + (f" / {step.undo.describe()}" if step.undo else "") for step in plan.steps]


async def plan(
    host: FakeHost, attempts: int = 0, kill: bool = False, drain: tuple[str, ...] | None = None
) -> list[str]:
    return typed(await plan_unit_restart(host, NAME, attempts=attempts, kill=kill, drain=drain))


@pytest.mark.parametrize("active_state", ["failed", "inactive"])
async def test_what_is_down_is_started_and_the_undo_is_a_stop(active_state: str) -> None:
    host = FakeHost()
    nginx(host).go_down(active_state)
    for kill in (False, True):
        assert await plan(host, kill=kill, drain=("drain",)) == [f"systemctl start {NAME} / systemctl stop {NAME}"]


async def test_what_is_up_is_restarted_drained_first_where_it_can_be() -> None:
    host = FakeHost()
    nginx(host)
    assert await plan(host) == [f"systemctl restart {NAME}"]
    assert await plan(host, drain=("drain", "web")) == ["drain web", f"systemctl restart {NAME}"]


async def test_what_hangs_is_killed_and_not_drained() -> None:
    host = FakeHost()
    nginx(host)
    killed = [f"systemctl kill --signal=SIGKILL {NAME}", f"systemctl restart {NAME}"]
    assert await plan(host, kill=True, drain=("drain",)) == killed


async def test_our_own_attempts_and_the_start_limit_are_forgotten_first() -> None:
    host = FakeHost()
    unit = nginx(host)
    assert (await plan(host, attempts=1))[0] == f"systemctl reset-failed {NAME}"
    unit.go_down("failed", "start-limit-hit")
    assert (await plan(host))[0] == f"systemctl reset-failed {NAME}"
    unit.go_down("failed", "exit-code")
    assert len(await plan(host)) == 1


@pytest.mark.parametrize("load_state", ["masked", "not-found", "bad-setting"])
async def test_a_unit_that_systemd_does_not_load_has_no_remedy(load_state: str) -> None:
    host = FakeHost()
    nginx(host).load_state = load_state
    with pytest.raises(CannotPlanError, match=f"systemd says {NAME} is {load_state}"):
        await plan(host)


async def test_where_systemd_cannot_be_asked_there_is_no_plan() -> None:
    host = FakeHost()
    host.units.unreachable = "no bus"
    with pytest.raises(ProbeError):
        await plan(host)


@pytest.mark.parametrize(
    ("owner", "looks", "deaf"),
    [
        ("l4_accept", {"l4_accept": saw(False, all_stopped=False)}, False),
        ("l4_accept", {"l4_accept": saw(False, all_stopped=True)}, True),
        ("l4_accept", {"l4_accept": saw(False), "l7_http": saw(True)}, False),
        ("l4_accept", {"l7_http": HUNG}, True),
        ("l7_http", {}, True),
    ],
)
def test_only_what_cannot_hear_is_killed(owner: str, looks: dict[str, Look], deaf: bool) -> None:
    seen = situation(WEB, "service_hung", looks=looks)
    seen.incident.owner_probe = owner
    assert is_deaf(seen) is deaf
