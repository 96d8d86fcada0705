"""What can be asked without a daemon."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from tests.agent.fake_host import FakeHost

from guardian_agent import oneshot
from guardian_agent.config import AgentConfig
from guardian_agent.custom.catalogue import Catalogue
from guardian_agent.errors import CannotPlanError, UsageError
from guardian_agent.host import Outgoing
from guardian_agent.model import Component, Endpoint, Health, Mode
from guardian_agent.probes.host_unit import HostUnit

PLAYBOOK = Catalogue().configured({})
HTTP = Endpoint("127.0.0.1", 80)
URL = "http://127.0.0.1/"
WEB = Component(name="web", unit="web.service", listen=HTTP, health=Health(http=URL))
DATABASE = Component(name="database", unit="database.service")


def config(*components: Component) -> AgentConfig:
    return AgentConfig(
        agent_id="h1",
        state_dir=Path("/nowhere"),
        socket=Path("/nowhere/agent.sock"),
        hold_file=Path("/nowhere/hold"),
        mode=Mode.OBSERVE,
        labels={},
        protected=(),
        actions_per_hour=6,
        host_probes=True,
        page_command=None,
        aggregator=None,
        components=components,
        probes={},
        playbooks={},
        ladders={},
    )


async def test_every_probe_of_a_healthy_component_says_ok() -> None:
    host = FakeHost()
    host.unit("web.service", serves=HTTP, url=URL)
    answers = [answer for _, answer in await oneshot.probe(config(WEB), host) if answer.target == "web"]
    assert {answer.probe for answer in answers} >= {"host_unit", "l4_listen", "l4_connect", "l7_http"}
    assert [answer for answer in answers if answer.ok is False] == []


async def test_one_probe_can_be_asked_alone_and_says_what_is_wrong() -> None:
    host = FakeHost()
    host.unit("web.service", serves=HTTP, url=URL, up=False)
    ((_, answer),) = await oneshot.probe(config(WEB), host, "l4_listen")
    assert (answer.ok, answer.issue_type, answer.layer) == (False, "port_not_listening", "transport")


async def test_a_probe_that_cannot_tell_says_why() -> None:
    host = FakeHost()
    host.units.unreachable = "no bus"
    answers = [answer for _, answer in await oneshot.probe(config(DATABASE), host, "host_unit")]
    assert [(answer.ok, answer.finding) for answer in answers] == [(None, "no bus")]


async def test_a_dry_run_shows_the_steps_and_changes_nothing() -> None:
    host = FakeHost()
    host.unit("web.service", serves=HTTP, url=URL, up=False)
    answer = await oneshot.dry_run(config(WEB), host, PLAYBOOK["restart_service"], "web", None)
    assert answer["issue_type"] == "service_failed"
    assert answer["steps"] == [{"do": "systemctl start web.service", "undo": "systemctl stop web.service"}]
    assert host.done == []


async def test_a_dry_run_can_suppose_an_issue() -> None:
    host = FakeHost()
    host.unit("web.service", serves=HTTP, url=URL)
    answer = await oneshot.dry_run(config(WEB), host, PLAYBOOK["restart_service"], "web", "service_hung")
    assert [step["do"] for step in answer["steps"]] == [
        "systemctl kill --signal=SIGKILL web.service",
        "systemctl restart web.service",
    ]


async def test_a_playbook_that_cannot_read_the_machine_says_so() -> None:
    host = FakeHost()
    host.units.unreachable = "no bus"
    with pytest.raises(CannotPlanError, match="no bus"):
        await oneshot.dry_run(config(WEB), host, PLAYBOOK["restart_service"], "web", "service_failed")


@pytest.mark.parametrize(
    ("supposed", "words"),
    [
        (None, "web has port_not_listening, which it does not heal; it heals: memory_pressure"),
        ("artifact_corrupt", "it does not heal artifact_corrupt; it heals: memory_pressure"),
    ],
)
async def test_a_dry_run_for_what_the_playbook_does_not_heal_says_so(supposed: str | None, words: str) -> None:
    bare = msgspec.structs.replace(WEB, unit=None, health=None)
    with pytest.raises(CannotPlanError, match=words):
        await oneshot.dry_run(config(bare), FakeHost(), PLAYBOOK["performance_optimization"], "web", supposed)


async def test_a_dry_run_knows_the_ladders_that_the_operator_wrote() -> None:
    host = FakeHost()
    host.unit("web.service", serves=HTTP, url=URL)
    own = msgspec.structs.replace(config(WEB), ladders={"port_not_listening": ("restart_service",)})
    answer = await oneshot.dry_run(own, host, PLAYBOOK["restart_service"], "web", "port_not_listening")
    assert answer["steps"]


async def test_without_a_name_the_component_that_looks_bad_is_chosen() -> None:
    host = FakeHost()
    host.unit("database.service")
    host.unit("web.service", serves=HTTP, url=URL, up=False)
    restart = PLAYBOOK["restart_service"]
    assert await oneshot.choose_target(config(DATABASE, WEB), host, None, restart) == "web"
    assert await oneshot.choose_target(config(DATABASE), host, None, restart) == "database"


async def test_a_part_of_the_host_that_the_playbook_does_not_heal_is_not_what_it_is_planned_for() -> None:
    host = FakeHost()
    host.unit("web.service", serves=HTTP, url=URL)
    host.kernel.settings["net.ipv4.ip_local_port_range"] = "40000\t40009"
    host.sockets.most_outgoing = Outgoing(ports=10, to=HTTP)
    whole = msgspec.structs.replace(config(WEB), host_probes=True)
    assert await oneshot.choose_target(whole, host, None, PLAYBOOK["restart_service"]) == "web"


async def test_a_part_of_the_host_is_planned_for_when_it_is_what_the_playbook_heals() -> None:
    host = FakeHost()
    host.unit("web.service", serves=HTTP, url=URL, up=False)
    host.kernel.settings["net.ipv4.ip_local_port_range"] = "40000\t40009"
    host.sockets.most_outgoing = Outgoing(ports=10, to=HTTP)
    whole = msgspec.structs.replace(config(WEB), host_probes=True)
    widen = PLAYBOOK["performance_optimization"]
    target = await oneshot.choose_target(whole, host, None, widen)
    answer = await oneshot.dry_run(whole, host, widen, target, None)
    assert (answer["target"], answer["issue_type"]) == ("host:ports", "port_exhaustion")
    assert "ip_local_port_range" in answer["steps"][0]["do"] and host.done == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wbe", "^no component 'wbe'; did you mean \"web\"\\?$"),
        ("", "^no component ''; there are: web$"),
        ("host:disk", "^host:disk is a part of the host itself, which host_probes = false leaves out$"),
        ("host:politics", "^no component 'host:politics'; there are: web$"),
    ],
)
async def test_a_component_that_is_not_there_cannot_be_chosen(name: str, words: str) -> None:
    alone = msgspec.structs.replace(config(WEB), host_probes=False)
    with pytest.raises(UsageError, match=words):
        await oneshot.choose_target(alone, FakeHost(), name, PLAYBOOK["restart_service"])


async def test_where_there_is_nothing_at_all_nothing_can_be_planned() -> None:
    with pytest.raises(CannotPlanError, match="no component is"):
        alone = msgspec.structs.replace(config(), host_probes=False)
        await oneshot.choose_target(alone, FakeHost(), None, PLAYBOOK["restart_service"])


async def test_a_part_of_the_host_can_be_chosen_by_its_name() -> None:
    assert (
        await oneshot.choose_target(config(WEB), FakeHost(), "host:disk", PLAYBOOK["resource_cleanup"]) == "host:disk"
    )


async def test_a_component_without_probes_cannot_be_planned_for() -> None:
    with pytest.raises(CannotPlanError, match="bare has no probe"):
        await oneshot.dry_run(config(), FakeHost(), PLAYBOOK["restart_component"], "bare", None)


async def test_a_probe_with_a_bug_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    async def buggy(*_: object) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr(HostUnit, "look", buggy)
    ((_, answer),) = await oneshot.probe(config(DATABASE), FakeHost(), "host_unit")
    assert answer.ok is None and "a bug" in answer.finding


async def test_of_several_bad_probes_the_one_nearest_to_the_cause_is_supposed_as_by_the_daemon() -> None:
    host = FakeHost()
    host.unit("web.service", serves=HTTP, url=URL, up=False)
    answer = await oneshot.dry_run(config(WEB), host, PLAYBOOK["restart_component"], "web", None)
    assert answer["issue_type"] == "service_failed"


async def test_what_was_never_good_here_does_not_count() -> None:
    host = FakeHost()
    host.unit("web.service", serves=HTTP, url=URL, up=False)
    for good, counts in ((None, True), ({"l4_listen/web"}, True), (set(), False)):
        ((_, answer),) = await oneshot.probe(config(WEB), host, "l4_listen", ever_good=good)
        assert answer.ok is False and answer.counts is counts


async def test_what_looks_bad_once_is_looked_at_again_before_it_is_said() -> None:
    host = FakeHost()
    unit = host.unit("web.service", serves=HTTP, url=URL, up=False)
    asked = asyncio.ensure_future(oneshot.probe(config(WEB), host, "l4_listen"))
    await asyncio.sleep(0.001)
    unit.come_up()
    ((_, answer),) = await asked
    assert answer.ok is True
