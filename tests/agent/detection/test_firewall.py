import asyncio

import pytest
from tests.agent.detection.host_watches import canary, watch_of
from tests.agent.detection.test_learning import Learner
from tests.agent.fake_firewall import table

from guardian_agent.detection.firewall import SETTLES_S
from guardian_agent.detection.learning import ASK_S, differences
from guardian_agent.detection.scheduler import Watch
from guardian_agent.errors import ProbeError
from guardian_agent.host import KnownGood
from guardian_agent.host.questions import ReadRuleset
from guardian_agent.model import Reading

MINE = table("inet mine", "tcp dport 22 accept", policy="drop")
STRAY = table("inet stray", "tcp dport 80 drop")
SOON_S = 10.0
LONG_S = 2 * ASK_S + SETTLES_S + SOON_S


def client_of(learner: Learner, *, good: bool = True) -> Watch:
    """A probe of a component that feels a firewall."""
    watch = watch_of(canary("l4_connect"), target="shop")
    learner.scheduler.add(watch)
    learner.see(watch, good=good)
    return watch


async def test_the_first_firewall_is_known_at_once_and_without_guardians_own_tables() -> None:
    learner = Learner()
    learner.host.firewall.tables = {
        "inet mine": MINE,
        "inet guardian_rebind_x": MINE.replace("mine", "guardian_rebind_x"),
    }
    async with learner.running():
        await asyncio.sleep(SOON_S)
    assert learner.good.firewall == {"inet mine": MINE}


async def test_a_host_without_rules_is_known_to_have_none() -> None:
    learner = Learner()
    async with learner.running():
        await asyncio.sleep(SOON_S)
    assert learner.good.firewall == {}
    assert "firewall: no tables" in differences(KnownGood(), learner.good)


async def test_without_anybody_who_can_tell_all_else_is_learned(caplog: pytest.LogCaptureFixture) -> None:
    learner = Learner()
    learner.host.answers[ReadRuleset] = ProbeError("only root can tell")
    with caplog.at_level("INFO"):
        async with learner.running():
            await asyncio.sleep(LONG_S)
    assert learner.good.firewall is None and learner.good.uplink == "host0"
    assert "firewall" not in caplog.text and "only root" not in caplog.text


async def test_a_changed_firewall_is_known_only_after_five_good_minutes() -> None:
    learner = Learner()
    client_of(learner)
    async with learner.running():
        await asyncio.sleep(SOON_S)
        learner.host.firewall.tables["inet stray"] = STRAY
        await asyncio.sleep(SETTLES_S)
        assert learner.good.firewall == {}
        await asyncio.sleep(LONG_S)
    assert learner.good.firewall == {"inet stray": STRAY}


async def test_a_firewall_that_blocks_is_never_known_to_be_good() -> None:
    learner = Learner()
    client = client_of(learner)
    async with learner.running():
        await asyncio.sleep(SOON_S)
        learner.host.firewall.tables["inet stray"] = STRAY
        await asyncio.sleep(ASK_S)
        learner.see(client, good=False)
        await asyncio.sleep(10 * LONG_S)
        assert learner.good.firewall == {}
        answer = await learner.learning.learn()
        assert "firewall: stays as it was known, since shop may be blocked by it" in answer
        assert learner.good.firewall == {}


async def test_nor_is_the_first_one_that_blocks_although_it_always_did() -> None:
    learner = Learner()
    client = watch_of(canary("l4_connect", issue="firewall_block"), target="shop")
    type(client.probe).good = False  # type: ignore[attr-defined]
    learner.scheduler.add(client)
    for _ in range(10):
        client.condition.observe(Reading(ok=False, issue_type="firewall_block"), learner.host.clock.now())
    learner.host.firewall.tables["inet stray"] = STRAY
    async with learner.running():
        await asyncio.sleep(SOON_S)
    assert learner.good.learned_at is not None and learner.good.firewall is None


async def test_an_operators_word_makes_a_changed_firewall_good_at_once() -> None:
    learner = Learner()
    client_of(learner)
    async with learner.running():
        await asyncio.sleep(SOON_S)
        learner.host.firewall.tables["inet stray"] = STRAY
        answer = await learner.learning.learn()
    assert learner.good.firewall == {"inet stray": STRAY}
    assert any(line.startswith("firewall: inet stray (1 rule, ") for line in answer)
