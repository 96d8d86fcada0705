"""The state as the rest of the agent sees it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.agent.state.samples import (
    AT,
    Clock,
    execution,
    executions,
    facts,
    incident,
    incidents,
    page,
    transition,
)

from guardian_agent.errors import StateError
from guardian_agent.model import Execution, Fact, Incident, Outcome, PlaybookCounters, Stamp
from guardian_agent.state import Forget, Gap, Limits, Remember, State
from guardian_agent.state.journal import KEPT


def encode(fact: Fact | Gap, at: Stamp) -> bytes:
    return msgspec.json.encode((fact.record_kind, fact, at))


async def open_state(folder: Path) -> State:
    return await State.open(folder, encode, Clock(), reserve_bytes=0)


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[State]:
    state = await open_state(tmp_path)
    yield state
    await state.close()


async def records(state: State) -> list[tuple[str, dict[str, Any]]]:
    batch = await state.outbox.batch(0, 10_000, 1 << 30)
    return [tuple(msgspec.json.decode(record)[:2]) for record in batch.records]


class Note(msgspec.Struct, frozen=True):
    text: str
    at: Stamp = AT


async def test_one_call_is_one_transaction_in_its_order(state: State) -> None:
    await state.submit(transition(1), incident("i"), Remember("n", "k", Note("x")), execution("e"), page("p"))
    assert [kind for kind, _ in await records(state)] == ["transition", "incident", "execution", "page"]
    assert state.outbox.bounds().next_seq == 5
    assert await state.recall("n", Note) == {"k": Note("x")}


async def test_every_record_of_one_call_has_the_same_stamp(state: State) -> None:
    await state.submit(transition(1), transition(2))
    batch = await state.outbox.batch(0, 10, 1 << 20)
    first, second = (msgspec.json.decode(record)[2] for record in batch.records)
    assert first == second == msgspec.to_builtins(AT)


async def test_arguments_are_taken_as_they_were_when_submitted(state: State) -> None:
    one, run = incident("i"), execution("e")
    stored = state.submit(one, run)
    one.symptoms = ["later"]
    run.outcome = Outcome.HEALED
    run.evidence["later"] = True
    await stored
    (there,) = await state.open_incidents()
    (unfinished,) = await state.unfinished_executions()
    assert (there.symptoms, unfinished.outcome, unfinished.evidence) == ([], None, {})
    assert (await records(state))[1][1]["outcome"] is None


async def test_what_cannot_be_written_is_told_at_once_and_leaves_nothing(state: State) -> None:
    with pytest.raises(TypeError):
        state.submit(page("p"), transition(evidence={"thing": object()}))
    assert await records(state) == []


async def test_a_state_survives_its_process(tmp_path: Path) -> None:
    first = await open_state(tmp_path)
    first.submit(incident("open"), incident("closed", closed=True), execution("running"))
    first.submit(execution("done", Outcome.HEALED), Remember("n", "k", Note("x")))
    await first.close()
    second = await open_state(tmp_path)
    assert [one.incident_id for one in await second.open_incidents()] == ["open"]
    assert [one.execution_id for one in await second.unfinished_executions()] == ["running"]
    assert await second.recall("n", Note) == {"k": Note("x")}
    assert (await second.counters())["restart_service"].successes == 1
    assert len(await records(second)) == 4
    await second.close()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(incident=incidents, execution=executions)
def test_incidents_and_executions_come_back_as_they_were(
    tmp_path: Path, incident: Incident, execution: Execution
) -> None:
    incident.closed_at = execution.outcome = None

    async def there_and_back() -> tuple[list[Incident], list[Execution]]:
        state = await open_state(tmp_path / os.urandom(8).hex())
        await state.submit(incident, execution)
        try:
            return await state.open_incidents(), await state.unfinished_executions()
        finally:
            await state.close()

    assert asyncio.run(there_and_back()) == ([incident], [execution])


async def test_a_closed_incident_is_no_longer_open_and_may_open_again(state: State) -> None:
    await state.submit(incident("i"))
    await state.submit(incident("i", closed=True))
    assert await state.open_incidents() == []
    await state.submit(incident("i"))
    assert [one.incident_id for one in await state.open_incidents()] == ["i"]


async def test_the_newest_executions_come_first_where_they_began(state: State) -> None:
    for number in range(5):
        await state.submit(execution(f"e{number}"))
    await state.submit(execution("e1", Outcome.HEALED))
    assert [one.execution_id for one in await state.recent_executions(3)] == ["e4", "e3", "e2"]


async def test_what_is_over_is_pruned_and_what_is_not_stays(state: State) -> None:
    await state.submit(incident("open"), execution("running"))
    for number in range(KEPT + 20):
        state.submit(incident(f"i{number}", closed=True), execution(f"e{number}", Outcome.HEALED))
    assert [one.incident_id for one in await state.open_incidents()] == ["open"]
    assert [one.execution_id for one in await state.unfinished_executions()] == ["running"]
    left = await state.recent_executions(10_000)
    assert len(left) == KEPT + 1
    assert left[0].execution_id == f"e{KEPT + 19}"
    assert (await state.counters())["restart_service"].executions == KEPT + 20


async def test_remembering_replaces_and_forgetting_forgets(state: State) -> None:
    await state.submit(Remember("n", "a", Note("1")), Remember("n", "b", Note("2")), Remember("other", "a", Note("3")))
    await state.submit(Remember("n", "a", Note("4")), Forget("n", "b"), Forget("n", "never"))
    assert await state.recall("n", Note) == {"a": Note("4")}
    assert await state.recall("nothing", Note) == {}
    assert state.outbox.bounds().next_seq == 1


async def test_a_value_of_another_shape_is_left_out_and_said(state: State, caplog: pytest.LogCaptureFixture) -> None:
    await state.submit(Remember("n", "old", AT), Remember("n", "new", Note("x")))
    assert await state.recall("n", Note) == {"new": Note("x")}
    assert "stored Note old cannot be read" in caplog.text


COUNTED = {
    Outcome.HEALED: (1, 1, 0),
    Outcome.COMPLETED: (1, 1, 0),
    Outcome.INEFFECTIVE: (1, 0, 1),
    Outcome.ROLLED_BACK: (1, 0, 1),
    Outcome.STUCK: (1, 0, 1),
    Outcome.INTERRUPTED: (1, 0, 1),
    Outcome.INCONCLUSIVE: (1, 0, 1),
    Outcome.EXPIRED: (1, 0, 0),
    Outcome.DENIED: None,
    Outcome.SUPERSEDED: None,
    Outcome.DRY_RUN: None,
}


@pytest.mark.parametrize("outcome", list(Outcome))
async def test_an_outcome_counts_once(state: State, outcome: Outcome) -> None:
    await state.submit(execution("e"))
    assert await state.counters() == {}
    await state.submit(execution("e", outcome))
    await state.submit(execution("e", outcome))
    counted = await state.counters()
    if (expected := COUNTED[outcome]) is None:
        assert counted == {}
    else:
        one = counted["restart_service"]
        assert (one.executions, one.successes, one.failures, one.last_run_wall_ns) == (*expected, AT.wall_ns)


@settings(max_examples=25, deadline=None)
@given(runs=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(Outcome)), max_size=20))
def test_counters_are_the_sums_of_their_runs(tmp_path_factory: pytest.TempPathFactory, runs) -> None:
    async def count() -> dict[str, PlaybookCounters]:
        state = await open_state(tmp_path_factory.mktemp("state"))
        for number, (playbook, outcome) in enumerate(runs):
            state.submit(execution(str(number), None, playbook))
            state.submit(execution(str(number), outcome, playbook))
        try:
            return await state.counters()
        finally:
            await state.close()

    counters = asyncio.run(count())
    for playbook in "ab":
        counts = [COUNTED[outcome] or (0, 0, 0) for name, outcome in runs if name == playbook]
        one = counters.get(playbook, PlaybookCounters())
        sums = tuple(sum(count[column] for count in counts) for column in range(3))
        assert (one.executions, one.successes, one.failures) == sums


async def test_what_a_full_disk_refused_is_stored_in_its_order_with_what_comes_next(state: State) -> None:
    size = await state._database.run(lambda connection: connection.execute("PRAGMA page_count").get)
    await state._database.run(lambda connection: connection.execute(f"PRAGMA max_page_count = {size}").get)
    with pytest.raises(StateError, match="full"):
        await state.submit(incident("i"), transition(1, {"much": "x" * 100_000}))
    with pytest.raises(StateError, match="full"):
        await state.submit(incident("i", closed=True))
    assert await records(state) == []
    await state._database.run(lambda connection: connection.execute("PRAGMA max_page_count = 100000").get)
    await state.submit(page("p"))
    assert [kind for kind, _ in await records(state)] == ["incident", "transition", "incident", "page"]
    assert await state.open_incidents() == []


async def test_what_was_refused_together_keeps_its_order_and_what_is_too_much_is_said(
    state: State, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("guardian_agent.state.state.MOST_UNSTORED", 3)
    size = await state._database.run(lambda connection: connection.execute("PRAGMA page_count").get)
    await state._database.run(lambda connection: connection.execute(f"PRAGMA max_page_count = {size}").get)
    much = {"much": "x" * 100_000}
    refused = await asyncio.gather(
        *(state.submit(transition(number, {**much, "number": number})) for number in range(4)), return_exceptions=True
    )
    assert all(isinstance(each, StateError) for each in refused)
    assert "1 submissions are lost" in caplog.text
    await state._database.run(lambda connection: connection.execute("PRAGMA max_page_count = 100000").get)
    await state.submit(page("p"))
    assert [fact.get("target", "page") for _, fact in await records(state)][:3] == ["web-0", "web-1", "web-2"]


async def test_a_full_outbox_leaves_the_journal_whole(tmp_path: Path) -> None:
    state = await State.open(tmp_path, encode, Clock(), limits=Limits(rows=3), reserve_bytes=0)
    for number in range(10):
        await state.submit(incident(f"i{number}"), transition(number), page(f"p{number}"))
    assert len(await state.open_incidents()) == 10
    there = await records(state)
    gaps = [fact for kind, fact in there if kind == "gap"]
    assert sum(sum(gap["counts"].values()) for gap in gaps) == 20
    assert {kind for gap in gaps for kind in gap["counts"]} == {"incident", "transition"}
    assert [kind for kind, _ in there].count("page") == 10
    await state.close()


async def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="file"):
        await open_state(tmp_path / "file")


async def test_after_closing_a_submission_fails_and_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = await open_state(tmp_path)
    await state.close()
    state.submit(page("p"))
    await asyncio.sleep(0)
    assert "not stored" in caplog.text


@settings(max_examples=20, deadline=None)
@given(many=st.lists(facts, min_size=1, max_size=8))
def test_every_fact_is_one_record(tmp_path_factory: pytest.TempPathFactory, many: list[Fact]) -> None:
    async def seqs() -> int:
        state = await open_state(tmp_path_factory.mktemp("state"))
        await state.submit(*many)
        await state.close()
        return state.outbox.bounds().next_seq - 1

    assert asyncio.run(seqs()) == len(many)


WRITER = """
import asyncio, sys
from pathlib import Path
from typing import Any
import msgspec
from guardian_agent.model import Execution, Outcome, Stamp
from guardian_agent.state import State

NOW = Stamp("boot", 1, 1)

async def main():
    state = await State.open(
        Path(sys.argv[1]), lambda fact, at: msgspec.json.encode(fact), lambda: NOW, reserve_bytes=0
    )
    number = 0
    while True:
        run = Execution(
            execution_id=str(number), incident_id="i", playbook="p", target="t", issue_type="x", started_at=NOW
        )
        await state.submit(run)
        run.outcome = Outcome.HEALED
        await state.submit(run)
        print(number, flush=True)
        number += 1

asyncio.run(main())
"""


def _run_until_killed(folder: Path) -> int:
    """Starts the writer, kills it after a hundred of its words, and returns the last one."""
    told = -1
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            if line.endswith("\n"):
                told = int(line)
            if told == 100:
                os.kill(process.pid, signal.SIGKILL)
    return told


async def test_after_kill_journal_outbox_and_counters_agree(tmp_path: Path) -> None:
    told = _run_until_killed(tmp_path)
    state = await open_state(tmp_path)
    finished = (await state.counters())["p"].executions
    unfinished = len(await state.unfinished_executions())
    assert finished >= told + 1
    assert state.outbox.bounds().next_seq - 1 == 2 * finished + unfinished
    assert len((await state.outbox.batch(0, 10**6, 1 << 30)).records) == 2 * finished + unfinished
    await state.close()


async def test_a_chain_that_holds_is_nothing_to_tell(state: State) -> None:
    await state.submit(page("p"), transition(1))
    assert await state.broken_chain() == ""
    change = "UPDATE outbox SET record = x'00' WHERE first_seq = 2"
    await state._database.run(lambda connection: list(connection.execute(change)))
    assert await state.broken_chain() == "record 2 does not follow from those before it"
