"""The whole of a host, on a fake one."""

import asyncio
from collections.abc import Sequence

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import SHOP, WEB, nginx, shop
from tests.agent.virtual_time import in_virtual_time

from guardian_agent.checkup import LOOK_LIMIT_S, SELF, WholeHost
from guardian_agent.custom.catalogue import Catalogue
from guardian_agent.detection.looking import Look, look_once
from guardian_agent.detection.scheduler import Watch
from guardian_agent.detection.watches import watches_of
from guardian_agent.errors import CannotPlanError
from guardian_agent.model import Component
from guardian_agent.playbooks import Playbook
from guardian_agent.playbooks.checkup import Checked


def whole(
    host: FakeHost, *components: Component, playbooks: Sequence[type[Playbook]] | None = None, host_probes: bool = False
) -> WholeHost:
    async def look(watch: Watch) -> Look:
        watch.last_look = await look_once(host, watch.probe, watch.schedule.timeout_s)
        return watch.last_look

    async def integrity() -> dict[str, str]:
        return {"outbox": ""}

    catalogue = Catalogue() if playbooks is None else Catalogue(playbooks=tuple(playbooks))
    return WholeHost(
        host,
        components=components,
        playbooks=catalogue.configured({}),
        watches=watches_of(components, {}, host_probes=host_probes),
        look=look,
        ever_good=lambda watch: watch.probe_id != "l4_connect",
        integrity=integrity,
        protected=frozenset({"sshd.service"}),
    )


async def test_every_probe_looks_once() -> None:
    host = FakeHost()
    nginx(host).go_down()
    looks = await whole(host, WEB).looks()
    by_probe = {look.probe: look for look in looks}
    assert {"host_unit", "l4_listen", "l4_connect", "l7_http"} <= set(by_probe)
    assert (by_probe["l4_listen"].ok, by_probe["l4_listen"].issue_type) == (False, "port_not_listening")
    assert by_probe["l4_listen"].counts and not by_probe["l4_connect"].counts


def test_a_look_that_never_ends_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(watch: Watch) -> Look:
        await asyncio.Event().wait()
        raise AssertionError

    async def looks() -> Sequence[Checked]:
        host = FakeHost()
        nginx(host)
        checkup = whole(host, WEB)
        monkeypatch.setattr(checkup, "_look", never)
        return await checkup.looks()

    found = {(look.ok, look.finding) for look in in_virtual_time(looks())}
    assert found == {(None, f"no look within {LOOK_LIMIT_S:g} s")}


async def test_every_playbook_says_what_it_would_do_for_every_component_and_does_nothing() -> None:
    host = FakeHost()
    nginx(host)
    shop(host)
    previews = await whole(host, WEB, SHOP).previews()
    found = {(one.playbook, one.target): one for one in previews}
    assert found["restart_component", "web"].steps == ("systemctl restart nginx.service",)
    assert found["restart_service", "web"].issue_type == "service_failed"
    assert ("restart_service", "shop") not in found or "is not a systemd unit" in found[
        "restart_service", "shop"
    ].refusal
    assert ("diagnose_network", "web") not in found and host.done == []


async def test_a_playbook_that_cannot_plan_says_why() -> None:
    host = FakeHost()
    nginx(host).load_state = "masked"
    found = {one.playbook: one for one in await whole(host, WEB).previews()}
    assert found["restart_service"].refusal == "systemd says nginx.service is masked"
    assert found["restart_service"].steps == ()


async def test_its_own_situation_is_about_no_incident() -> None:
    host = FakeHost()
    situation = whole(host, WEB).situation()
    assert (situation.incident.incident_id, situation.incident.target) == ("", SELF)
    assert situation.component is None and situation.protected == {"sshd.service"}
    with pytest.raises(CannotPlanError):
        situation.workload()
    assert situation.checkup and await situation.checkup.integrity() == {"outbox": ""}
