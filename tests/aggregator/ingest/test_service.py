"""The stream as an agent sees it, over a real gRPC connection."""

import asyncio

import grpc
import pytest
from tests.aggregator.ingest.outbox import NOW_NS, Outbox, batch, connected, execution, incident, page, transition

from guardian_aggregator.errors import Refused
from guardian_aggregator.ingest import FleetService, GrpcServer, codec
from guardian_aggregator.ingest.service import check_identity
from guardian_aggregator.store import Filter
from guardian_proto.v1 import records_pb2, stream_pb2


@pytest.fixture
def outbox():
    outbox = Outbox()
    outbox.add(*(page(number) for number in range(1, 21)))
    return outbox


async def test_what_is_acknowledged_can_be_read(address, queries, outbox):
    outbox.add(incident("i-1"), execution("x-1", incident_id="i-1", outcome=1), transition())
    async with connected(address) as agent:
        assert await agent.greet(outbox, labels={"site": "ams"}, watches=["l7_http/web"]) == 0
        assert await agent.send(outbox.batch(1, 20)) == 20
        assert await agent.send(outbox.batch(21, 20)) == 23
        (found,) = await queries.agents(Filter(labels={"site": "ams"}))
        assert (found.agent_id, found.connected, found.watermark, found.records) == ("web-1", True, 23, 23)
    assert len(await queries.pages(Filter(), 50)) == 20
    assert (await queries.incident("i-1")).layer == 8
    assert await queries.healed_by(["i-1"]) == {"i-1": "restart_component"}
    assert (await queries.layer_counts(Filter(), NOW_NS))[7].failing == 1


async def test_an_execution_about_no_incident_is_taken_in(address, queries):
    outbox = Outbox()
    outbox.add(execution("x-1", playbook="daily_health_check", target="host:self", issue_type="", outcome=10))
    async with connected(address) as agent:
        await agent.greet(outbox)
        assert await agent.send(outbox.batch(1, 1)) == 1
    stored = await queries.execution("x-1")
    assert (stored.incident_id, stored.target, stored.outcome) == ("", "host:self", "completed")
    assert await queries.incident_executions("") == []


async def test_an_agent_that_has_gone_is_no_longer_connected(address, queries, outbox):
    async with connected(address) as agent:
        await agent.greet(outbox)
    for _ in range(100):
        if not (await queries.agents())[0].connected:
            return
        await asyncio.sleep(0.02)
    pytest.fail("still connected")


async def test_redelivery_that_overlaps_is_trimmed(address, queries, outbox):
    async with connected(address) as agent:
        await agent.greet(outbox)
        assert await agent.send(outbox.batch(1, 10)) == 10
        assert await agent.send(outbox.batch(1, 5)) == 10
        assert await agent.send(outbox.batch(6, 10)) == 15
    async with connected(address) as agent:
        assert await agent.greet(outbox) == 15
    assert len(await queries.pages(Filter(), 50)) == 15


async def test_a_batch_beyond_the_next_seq_is_out_of_order(address, outbox):
    async with connected(address) as agent:
        await agent.greet(outbox)
        await agent.send(outbox.batch(1, 3))
        refusal = await agent.refused(outbox.batch(5, 3))
        assert (agent.code(refusal), refusal.watermark) == ("OUT_OF_ORDER", 3)


async def test_a_batch_that_goes_on_from_other_records_is_a_fork_and_paged_once(address, queries, outbox):
    other = Outbox()
    other.add(*(page(number, "other") for number in range(1, 21)))
    async with connected(address) as agent:
        await agent.greet(outbox)
        await agent.send(outbox.batch(1, 10))
    for first in (11, 5):
        async with connected(address) as agent:
            await agent.greet(other)
            assert agent.code(await agent.refused(other.batch(first, 8))) == "EPOCH_FORK"
    pages = [row for row in await queries.pages(Filter(), 50) if row.reason == "epoch_fork"]
    assert [row.agent_id for row in pages] == ["web-1"]
    assert (await queries.counters()).refusals == {"EPOCH_FORK": 2}


async def test_a_hello_whose_next_seq_is_stored_already_is_a_fork(address, queries, outbox):
    async with connected(address) as agent:
        await agent.greet(outbox)
        await agent.send(outbox.batch(1, 10))
    async with connected(address) as agent:
        refusal = await agent.refused(outbox.hello(lowest_seq=8, next_seq=10))
        assert (agent.code(refusal), refusal.watermark) == ("EPOCH_FORK", 10)
    async with connected(address) as agent:
        assert await agent.greet(outbox, lowest_seq=11, next_seq=11) == 10


async def test_a_fork_does_not_end_the_stream_of_the_agent_that_is_right(address, outbox):
    async with connected(address) as right, connected(address) as wrong:
        await right.greet(outbox)
        await right.send(outbox.batch(1, 10))
        assert wrong.code(await wrong.refused(outbox.hello(next_seq=5))) == "EPOCH_FORK"
        assert await right.send(outbox.batch(11, 10)) == 20


async def test_what_neither_side_has_is_a_gap_and_the_stream_goes_on(address, queries, outbox):
    async with connected(address) as agent:
        assert await agent.greet(outbox, lowest_seq=6) == 5
        assert await agent.send(outbox.batch(6, 20)) == 20
    (gap,) = await queries.gaps(Filter())
    assert (gap.first_seq, gap.last_seq, gap.reason, gap.counts) == (1, 5, "lost_by_server", {"unknown": 5})
    assert (await queries.counters()).gap_records == {"lost_by_server": 5}


async def test_a_gap_record_stands_for_its_seqs(address, queries, outbox):
    outbox.drop(5, 9)
    async with connected(address) as agent:
        await agent.greet(outbox)
        assert await agent.send(outbox.batch(1, 6)) == 10
        assert await agent.send(outbox.batch(11, 10)) == 20
    (gap,) = await queries.gaps(Filter())
    assert (gap.first_seq, gap.last_seq, gap.reason, gap.counts) == (5, 9, "outbox_full", {"page": 5})


async def test_of_a_gap_over_stored_records_only_the_missing_ones_are_one(address, queries, outbox):
    async with connected(address) as agent:
        await agent.greet(outbox)
        await agent.send(outbox.batch(1, 7))
        outbox.drop(5, 9)
        assert await agent.send(outbox.batch(1, 20)) == 20
    (gap,) = await queries.gaps(Filter())
    assert (gap.first_seq, gap.last_seq, gap.counts) == (8, 9, {"unknown": 2})


async def test_a_newer_stream_of_the_agent_ends_the_older(address, outbox):
    async with connected(address) as older, connected(address) as newer:
        await older.greet(outbox)
        await newer.greet(outbox)
        answer = await older.answer()
        assert older.code(answer.refusal) == "SUPERSEDED"
        assert await newer.send(outbox.batch(1, 5)) == 5


async def test_two_epochs_taking_turns_are_both_refused_and_paged(address, queries):
    outboxes = [Outbox(epoch=b"a" * 16), Outbox(epoch=b"b" * 16)]
    for turn in range(3):
        async with connected(address) as agent:
            await agent.greet(outboxes[turn % 2])
    for turn in range(3):
        async with connected(address) as agent:
            refusal = await agent.refused(outboxes[(turn + 1) % 2].hello())
            assert agent.code(refusal) == "BOTH_REFUSED"
    assert [row.reason for row in await queries.pages(Filter(), 5)] == ["two_epochs"]


def _hello(**fields):
    return Outbox().hello(**fields)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"\xff\xff", "no message of this protocol"),
        (b"", "begins with Hello"),
        (batch(1, bytes(32), [page(1)]), "begins with Hello"),
        (Outbox(agent_id="").hello(), "agent_id"),
        (Outbox(agent_id="a b").hello(), "agent_id"),
        (Outbox(epoch=b"short").hello(), "epoch has 16 bytes"),
        (_hello(lowest_seq=0), "lowest_seq 0"),
        (_hello(lowest_seq=9, next_seq=5), "lowest_seq 9"),
        (_hello(next_seq=2**63), "next_seq"),
        (_hello(protocol_version="2"), "protocol version '2'"),
    ],
)
async def test_a_hello_that_is_none_is_refused_with_words(address, queries, message, said):
    async with connected(address) as agent:
        refusal = await agent.refused(message)
    assert agent.code(refusal) == "MALFORMED"
    assert said in refusal.detail
    assert (await queries.counters()).refusals == {"MALFORMED": 1}


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"\xff\xff", "no message of this protocol"),
        (_hello(), "after Hello come batches"),
        (batch(0, bytes(32), [page(1)]), "first_seq 0"),
        (batch(2**62, bytes(32), [page(1)]), "first_seq"),
        (batch(1, b"", [page(1)]), "prev_chain has 0"),
        (batch(1, b"x" * 32, [page(1)]), "all zero"),
        (batch(1, bytes(32), []), "a batch of 0 records"),
        (batch(1, bytes(32), [page(1)] * 51), "1 to 50 may be in flight"),
        (batch(1, bytes(32), [page(1), b"\xff\xff"]), "record 2 is no Record"),
        (batch(1, bytes(32), [page(1), bytes((1 << 20) + 1)]), "record 2 has 1048577 bytes"),
        (batch(1, bytes(32), [bytes(1 << 20)] * 5), "a message of"),
    ],
)
async def test_of_a_batch_that_is_none_nothing_is_stored(address, queries, outbox, message, said):
    async with connected(address) as agent:
        await agent.greet(outbox)
        refusal = await agent.refused(message)
        assert agent.code(refusal) == "MALFORMED"
        assert said in refusal.detail
    async with connected(address) as agent:
        assert await agent.greet(outbox) == 0
    assert await queries.pages(Filter(), 5) == []


async def test_an_enormous_message_ends_the_stream_and_nothing_else(address, outbox):
    async with connected(address) as agent:
        await agent.greet(outbox)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await agent.say(bytes(9 << 20))
        assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    async with connected(address) as agent:
        await agent.greet(outbox)
        assert await agent.send(outbox.batch(1, 5)) == 5


async def test_a_full_disk_ends_the_stream_unacknowledged_and_later_it_goes_on(address, store, queries, outbox):
    async with connected(address) as agent:
        await agent.greet(outbox)
        await agent.send(outbox.batch(1, 5))
        pages = []
        await store.write(lambda connection: pages.append(connection.pragma("page_count")))
        await store.write(lambda connection: connection.pragma("max_page_count", pages[0] + 1))
        big = Outbox()
        big.rows = outbox.rows[:5]
        big.add(*(page(number, "x" * 50_000) for number in range(6, 20)))
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await agent.say(big.batch(6, 14))
        assert error.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "full" in (error.value.details() or "")
    await store.write(lambda connection: connection.pragma("max_page_count", 1 << 30))
    async with connected(address) as agent:
        assert await agent.greet(big) == 5
        assert await agent.send(big.batch(6, 14)) == 19
    assert len(await queries.pages(Filter(), 50)) == 19


@pytest.mark.parametrize(
    ("uris", "taken"),
    [
        ([], True),
        ([b"guardian://web-1"], True),
        ([b"spiffe://x/web-1", b"guardian://web-1"], True),
        ([b"urn:x:web-1"], False),
        ([b"\xff"], False),
        ([b"guardian://web-2"], False),
        ([b"guardian://web-11"], False),
        ([b"spiffe://x/web-1"], False),
    ],
)
def test_a_certificate_with_uris_must_name_the_agent(uris, taken):
    names = [b"web-1", b"guardian://web-1"]  # a host name may be anything
    context = {"x509_subject_alternative_name": names + uris} | ({"peer_uri": uris} if uris else {})
    if taken:
        check_identity("web-1", context)
    else:
        with pytest.raises(Refused, match="not for web-1"):
            check_identity("web-1", context)


def gap(first: int, last: int) -> bytes:
    message = records_pb2.Gap(first_seq=first, last_seq=last, reason="outbox_full", last_chain=bytes(32))
    return records_pb2.Record(gap=message).SerializeToString()


@pytest.mark.parametrize(("last", "taken"), [(3, True), (50_000, True), (2**48 - 2, False), (200_000, False)])
async def test_a_gap_beyond_what_the_agent_can_have_made_is_refused(address, queries, last, taken):
    async with connected(address) as agent:
        await agent.greet(Outbox(), next_seq=2)
        if taken:
            assert await agent.send(batch(1, bytes(32), [gap(1, last)])) == last
        else:
            refusal = await agent.refused(batch(1, bytes(32), [gap(1, last)]))
            assert (agent.code(refusal), "at Hello the next was 2" in refusal.detail) == ("MALFORMED", True)
    assert len(await queries.gaps(Filter())) == taken


async def test_of_two_hellos_in_flight_one_stays(address, outbox):
    for turn in range(10):
        async with connected(address) as one, connected(address) as other:
            await asyncio.gather(*(end.call.write(outbox.hello()) for end in (one, other)))
            await asyncio.gather(one.answer(), other.answer())
            ends = {asyncio.ensure_future(end.call.read()): end for end in (one, other)}
            done, (left,) = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED, timeout=5)
            assert len(done) == 1, "nobody was superseded, or both"
            await ends[left].call.write(outbox.batch(turn + 1, 1))
            answer = stream_pb2.FromAggregator.FromString(await left)
            assert answer.ack.acked_through == turn + 1


async def test_the_offset_of_the_agents_clock_is_kept(store, queries):
    service = FleetService(store, wall_ns=lambda: NOW_NS - 90_500_000_000)
    server = GrpcServer(service, "127.0.0.1", 0, None)
    async with connected(await server.start()) as agent:
        await agent.greet(Outbox())
        assert [row.clock_offset_seconds for row in await queries.agents()] == [90.5]
    await server.stop(0)


async def test_a_fleet_that_comes_back_at_once_is_read_within_the_budget(store, queries):
    service = FleetService(store, budget_bytes=200_000)
    server = GrpcServer(service, "127.0.0.1", 0, None)
    address = await server.start()
    most = 0

    async def come_back(number: int) -> None:
        nonlocal most
        outbox = Outbox(f"host-{number}")
        outbox.add(*(page(each, f"{number}-{each}" + "x" * 40_000) for each in range(1, 5)))
        async with connected(address) as agent:
            await agent.greet(outbox)
            for first in (1, 3):
                assert await agent.send(outbox.batch(first, 2)) == first + 1
                most = max(most, service._budget.held)

    async with connected(address) as silent:  # with records to send, which it does not
        await silent.greet(Outbox("silent"), next_seq=9)
        await asyncio.wait_for(asyncio.gather(*map(come_back, range(15))), 20)
    assert most <= 200_000
    await server.stop(0)
    assert service._budget.held == 0
    assert len(await queries.pages(Filter(), 99)) == 60


class Mute:
    """The context of an agent that says Hello and one batch, and reads nothing after the Welcome."""

    def __init__(self, *messages: bytes) -> None:
        self._messages = list(messages)
        self.written: list[bytes] = []

    def auth_context(self) -> dict[str, list[bytes]]:
        return {}

    def peer(self) -> str:
        return "mute"

    async def read(self) -> bytes:
        return self._messages.pop(0)

    async def write(self, message: bytes) -> None:
        if self.written:
            await asyncio.Event().wait()
        self.written.append(message)


async def test_an_agent_that_reads_nothing_makes_way_for_its_next_stream(service, address, outbox, monkeypatch):
    monkeypatch.setattr("guardian_aggregator.ingest.service._LAST_WORD_S", 0.05)
    mute = asyncio.ensure_future(service.stream(None, Mute(outbox.hello(), outbox.batch(1, 5))))
    async with connected(address) as agent:
        await asyncio.sleep(0.3)
        assert await agent.greet(outbox) == 5
        await asyncio.wait_for(mute, 5)
        assert await agent.send(outbox.batch(6, 5)) == 10


async def test_who_is_here_is_noted_now_and_then(store, queries, service, address, outbox, monkeypatch):
    monkeypatch.setattr("guardian_aggregator.ingest.service._TOUCH_S", 0.02)
    await store.greet(codec.read_hello(codec.read_message(Outbox("ghost").hello())), 1)
    async with connected(address) as agent:
        await agent.greet(outbox)
        before = (await queries.agents())[1].last_seen_at
        keeping = asyncio.ensure_future(service.keep())
        await asyncio.sleep(0.2)
        keeping.cancel()
        ghost, here = await queries.agents()
        assert (ghost.connected, ghost.last_seen_at) == (False, 1)
        assert (here.connected, here.last_seen_at > before) == (True, True)
