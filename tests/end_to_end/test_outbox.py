"""The outbox at its bound, the aggregator away: what was dropped is named with exact counts, the rest is complete."""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.aggregator.ingest import process
from tests.bed.waiting import until
from tests.end_to_end.agent_process import free_port

from guardian_agent.config import AggregatorAddress
from guardian_agent.host.clock import LocalClock
from guardian_agent.model import (
    ConditionState,
    Execution,
    Incident,
    Layer,
    Mode,
    Outcome,
    Page,
    Resolution,
    Transition,
    uuid7,
)
from guardian_agent.state import Bounds, Limits, State
from guardian_agent.uplink import HelloFacts, Uplink, encode
from guardian_agent.uplink.pace import Pace

NOW = LocalClock().now
PACE = Pace(first_s=0.05, cap_s=0.2)
ROUNDS = 100
ROWS = 150  # held at most
KINDS = ("transition", "incident", "execution", "page", "execution", "incident")  # the records of a round


def transition(number: int) -> Transition:
    return Transition(
        probe="l4_listen",
        target="web",
        layer=Layer.TRANSPORT,
        from_state=ConditionState.OK,
        to_state=ConditionState.FAILING,
        issue_type="port_not_listening",
        evidence={"number": number},
        first_seen=NOW(),
    )


def a_round(state: State, number: int) -> None:
    """One incident from its first transition to its end, with a page: KINDS."""
    now = NOW()
    incident = Incident(
        incident_id=uuid7(),
        target="web",
        issue_type="port_not_listening",
        layer=Layer.TRANSPORT,
        owner_probe="l4_listen",
        first_bad_at=now,
        detected_at=now,
    )
    execution = Execution(
        execution_id=uuid7(),
        incident_id=incident.incident_id,
        playbook="restart_component",
        target="web",
        issue_type="port_not_listening",
        started_at=now,
    )
    page = Page(page_id=uuid7(), incident_id=incident.incident_id, target="web", reason="denied", text=f"page {number}")
    state.submit(transition(number), incident, execution, page)
    execution.outcome, execution.finished_at = Outcome.HEALED, NOW()
    incident.verified_at = incident.closed_at = NOW()
    incident.resolution, incident.recovered_by = Resolution.AUTO, "restart_component"
    state.submit(execution, incident)


@asynccontextmanager
async def streaming(state: State, address: str) -> AsyncIterator[Uplink]:
    uplink = Uplink(
        AggregatorAddress(address=address, insecure=True),
        state,
        lambda: HelloFacts(agent_id="host-1", agent_version="test", mode=Mode.HEAL),
        lambda allowed: None,
        pace=PACE,
    )
    running = asyncio.create_task(uplink.run())
    try:
        yield uplink
    finally:
        running.cancel()
        await asyncio.wait({running})


async def all_acknowledged(state: State) -> None:
    async def empty() -> bool:
        await state.submit()
        bounds = state.outbox.bounds()
        return bounds.lowest_seq == bounds.next_seq

    await until(empty, "all is acknowledged", within_s=20, every_s=0.02)


async def test_a_full_outbox_says_exactly_what_it_dropped_and_keeps_what_matters(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    config = process.write_config(tmp_path, grpc=address)
    state = await State.open(tmp_path / "agent", encode, NOW, limits=Limits(rows=ROWS), window=20, reserve_bytes=0)
    try:
        async with streaming(state, address):
            async with process.running(config) as aggregator:
                a_round(state, 0)
                await all_acknowledged(state)
                assert await aggregator.stop() == 0
            for number in range(1, ROUNDS):
                a_round(state, number)
            await state.submit()
            bounds = state.outbox.bounds()
            assert bounds.rows <= ROWS
            assert bounds.dropped == (ROUNDS - 1) * len(KINDS) - bounds.rows > 0
            async with process.running(config) as aggregator:
                a_round(state, ROUNDS)
                await all_acknowledged(state)
                assert await aggregator.stop() == 0
        bounds = state.outbox.bounds()
    finally:
        await state.close()
    assert bounds.next_seq - 1 == (ROUNDS + 1) * len(KINDS)
    assert_told(tmp_path / "state" / "guardian.db", bounds)


def assert_told(database: Path, bounds: Bounds) -> None:
    """Each seq is there once, as the record that it was or within a gap that counts it as what it was."""
    stored = sqlite3.connect(database)
    rows = stored.execute("SELECT seq, last_seq, kind FROM records ORDER BY seq").fetchall()
    gaps = stored.execute("SELECT first_seq, last_seq, reason, counts FROM gaps ORDER BY first_seq").fetchall()
    (pages,) = stored.execute("SELECT count(*) FROM pages").fetchone()
    stored.close()
    assert [first for first, _, _ in rows] == [1, *(last + 1 for _, last, _ in rows[:-1])]
    assert rows[-1][1] == bounds.next_seq - 1
    assert all(kind == kind_of(seq) for seq, _, kind in rows if kind != "gap")
    assert [(first, last) for first, last, kind in rows if kind == "gap"] == [(first, last) for first, last, *_ in gaps]
    for first, last, reason, counts in gaps:
        assert reason == "outbox_full"
        assert json.loads(counts) == Counter(kind_of(seq) for seq in range(first, last + 1))
    assert sum(last - first + 1 for first, last, *_ in gaps) == bounds.dropped
    assert pages == ROUNDS + 1


def kind_of(seq: int) -> str:
    return KINDS[(seq - 1) % len(KINDS)]
