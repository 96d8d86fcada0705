"""The agent's end of the stream: sends what the outbox holds, within the credit, and deletes what is acknowledged."""

import asyncio
import logging
from collections.abc import Callable

import grpc
import grpc.aio
import msgspec

from guardian_agent.config import AggregatorAddress
from guardian_agent.errors import GuardianError, StateError
from guardian_agent.model import Mode, PlaybookCounters, Tier
from guardian_agent.state import Remember, State
from guardian_agent.uplink.channel import open_channel
from guardian_agent.uplink.codec import stamp_message
from guardian_agent.uplink.endings import (
    ConnectionEndedError,
    ForkedError,
    NonsenseError,
    OutOfOrderError,
    RefusedError,
)
from guardian_agent.uplink.flight import Flight
from guardian_agent.uplink.pace import Backoff, Pace
from guardian_proto.v1 import stream_pb2 as pb
from guardian_proto.v1.stream_pb2_grpc import FleetStub

PROTOCOL_VERSION = "1"
MAX_RECORDS = 500  # in one batch
MAX_BYTES = 1 << 20
CLOSE_LIMIT_S = 2.0
MAX_RETRY_S = 600.0  # whatever the aggregator wishes

_log = logging.getLogger(__name__)

_Call = grpc.aio.StreamStreamCall[pb.FromAgent, pb.FromAggregator]


async def _close(channel: grpc.aio.Channel) -> None:
    """Closes a channel; one that does not close is left behind, so that it cannot keep the next connection waiting."""
    try:
        async with asyncio.timeout(CLOSE_LIMIT_S):
            await channel.close()
    except TimeoutError:
        _log.info("a connection to the aggregator did not close within %g s", CLOSE_LIMIT_S)


class PlaybookFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A playbook that this agent has, and how it has done here."""

    id: str
    family: str
    tier: Tier
    heals: tuple[str, ...] = ()
    counters: PlaybookCounters = PlaybookCounters()


class HelloFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent says of itself at each connection."""

    agent_id: str
    agent_version: str
    mode: Mode
    labels: dict[str, str] = {}
    targets: tuple[str, ...] = ()
    watches: tuple[str, ...] = ()  # PROBE/TARGET of everything that is looked at
    playbooks: tuple[PlaybookFacts, ...] = ()


class ActingAllowed(msgspec.Struct, frozen=True):
    """The aggregator's last word on acting, as it is remembered."""

    allowed: bool


class Identity(msgspec.Struct, frozen=True):
    """The name under which the outbox's epoch is known to the aggregator."""

    agent_id: str


class ToldAgain(msgspec.Struct, frozen=True):
    """The last loss of the aggregator that was answered."""

    epoch: str
    lost_through: int


class Uplink:
    """Keeps a stream to the aggregator for as long as `run` runs."""

    def __init__(
        self,
        aggregator: AggregatorAddress,
        state: State,
        hello_facts: Callable[[], HelloFacts],
        on_acting_allowed: Callable[[bool], None],
        *,
        pace: Pace | None = None,
    ) -> None:
        self.connected = False
        self.last_error = ""
        self.acting_allowed: bool | None = None  # None: no aggregator has ever said
        self._aggregator = aggregator
        self._state = state
        self._outbox = state.outbox
        self._hello_facts = hello_facts
        self._on_acting_allowed = on_acting_allowed
        self._pace = pace or Pace()
        self._backoff = Backoff(self._pace)
        self._reported = ""
        self._sent = 0  # the highest seq that this process ever sent in this epoch
        self._missing_after: int | None = None  # the watermark of an OUT_OF_ORDER, until the next welcome

    async def run(self) -> None:
        """Connects, and connects again after every end, until it is cancelled.

        Before the first connection `on_acting_allowed` hears what the aggregator said last, if it ever did.
        """
        await self._keep_identity()
        await self._recall_acting_allowed()
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._connect_once()
            except (ConnectionEndedError, StateError) as error:
                if self.connected and loop.time() - began > self._pace.cap_s:
                    self._backoff.succeeded()
                wait_s = self._backoff.next_wait_s(refused=isinstance(error, RefusedError))
                self._report(error, wait_s)
            finally:
                self.connected = False
            await asyncio.sleep(wait_s)

    async def _connect_once(self) -> None:
        """One connection from hello to its end, which is always an exception."""
        channel = open_channel(self._aggregator, self._pace)
        try:
            call: _Call = FleetStub(channel).Stream()  # type: ignore[no-untyped-call]
            try:
                async with asyncio.timeout(self._pace.welcome_s):
                    welcome = await self._greet(call)
                flight = await self._resume(welcome)
                await self._converse(call, flight)
            finally:
                call.cancel()
        except ForkedError:
            await self._renew_epoch()
            raise
        except OutOfOrderError as error:
            self._missing_after = error.watermark
            raise
        except grpc.aio.AioRpcError as error:
            raise ConnectionEndedError(f"{error.code().name}: {error.details()}") from error
        except grpc.aio.UsageError as error:
            raise ConnectionEndedError(f"the connection could not be used: {error}") from error
        except asyncio.InvalidStateError as error:
            raise ConnectionEndedError("the aggregator ended the stream") from error
        except TimeoutError as error:
            raise ConnectionEndedError(f"no welcome within {self._pace.welcome_s:g} s") from error
        finally:
            await _close(channel)

    async def _greet(self, call: _Call) -> pb.Welcome:
        await call.write(pb.FromAgent(hello=self._hello()))
        message = await self._read(call)
        if message.WhichOneof("message") != "welcome":
            raise NonsenseError("the aggregator's first message is no welcome")
        return message.welcome

    async def _resume(self, welcome: pb.Welcome) -> Flight:
        """Takes the welcome at its word as far as it can be true; raises NonsenseError or ForkedError."""
        bounds = self._outbox.bounds()
        watermark = welcome.acked_through
        if watermark >= bounds.next_seq:
            raise NonsenseError(f"the aggregator says it has record {watermark}; the last one is {bounds.next_seq - 1}")
        if watermark > bounds.horizon:
            raise ForkedError(f"the aggregator has record {watermark} of this epoch, which was never sent from here")
        after = watermark
        if watermark > self._sent:
            # Sent before this process began, or by a twin of this host. The last one is sent once more, so that the
            # aggregator compares the chain; its acknowledgement proves which, and nothing is deleted before.
            after = watermark - 1
        if self._missing_after is not None:
            after, self._missing_after = min(after, self._missing_after), None
        flight = Flight(max(after, bounds.lowest_seq - 1), welcome.credit)
        await self._answer_loss(welcome.lost_through)
        if watermark <= self._sent:
            await self._outbox.acknowledge(watermark)
        self._welcomed(welcome)
        return flight

    async def _converse(self, call: _Call, flight: Flight) -> None:
        """Sends and receives until one of them fails; raises what ended it."""
        receiver = asyncio.create_task(self._receive(call, flight), name="uplink-receiver")
        sender = asyncio.create_task(self._send(call, flight), name="uplink-sender")
        try:
            done: set[asyncio.Task[None]] = set()
            while not done:
                changes = flight.changes
                done, _ = await asyncio.wait(
                    {receiver, sender}, timeout=self._pace.ack_s, return_when="FIRST_COMPLETED"
                )
                if not done and len(flight) and flight.changes == changes:
                    raise ConnectionEndedError(f"{len(flight)} records unacknowledged after {self._pace.ack_s:g} s")
            if receiver not in done:  # a write failed; what was received last tells why
                await asyncio.wait({receiver}, timeout=1.0)
        finally:
            receiver.cancel()
            sender.cancel()
            ends = await asyncio.gather(receiver, sender, return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError):
                raise end

    async def _send(self, call: _Call, flight: Flight) -> None:
        while True:
            await self._outbox.wait_beyond(flight.sent)
            await flight.wait_for_room()
            if self._outbox.bounds().next_seq - flight.sent <= MAX_RECORDS:
                await asyncio.sleep(self._pace.company_s)
            changes = flight.changes
            batch = await self._outbox.batch(flight.sent, min(MAX_RECORDS, flight.room), MAX_BYTES)
            if not batch.records:  # the horizon: more may go after an acknowledgement
                await flight.wait_beyond(changes)
                continue
            flight.add(batch)
            self._sent = max(self._sent, flight.sent)
            message = pb.Batch(first_seq=batch.first_seq, prev_chain=batch.prev_chain, records=batch.records)
            await call.write(pb.FromAgent(batch=message))

    async def _receive(self, call: _Call, flight: Flight) -> None:
        while True:
            message = await self._read(call)
            kind = message.WhichOneof("message")
            if kind == "welcome":
                raise NonsenseError("the aggregator welcomes twice on one stream")
            if kind is None:
                _log.info("the aggregator sent a message of a kind that this version does not know")
                continue
            flight.acknowledge(message.ack.acked_through, message.ack.credit)
            await self._outbox.acknowledge(flight.acked)
            self._backoff.succeeded()
            self._reported = ""

    async def _read(self, call: _Call) -> pb.FromAggregator:
        """The next message that is no refusal; a refusal is raised as what is to be done about it."""
        message = await call.read()
        if not isinstance(message, pb.FromAggregator):
            raise ConnectionEndedError("the aggregator ended the stream")
        if message.WhichOneof("message") != "refusal":
            return message
        refusal = message.refusal
        code = refusal.code
        name = pb.Refusal.Code.Name(code) if code in pb.Refusal.Code.values() else f"code {code}"
        text = f"refused by the aggregator: {name}: {refusal.detail}"
        if code == pb.Refusal.OUT_OF_ORDER:
            raise OutOfOrderError(refusal.watermark, text)
        if code == pb.Refusal.EPOCH_FORK:
            raise ForkedError(text)
        raise RefusedError(text)

    def _hello(self) -> pb.Hello:
        facts, bounds = self._hello_facts(), self._outbox.bounds()
        return pb.Hello(
            agent_id=facts.agent_id,
            epoch=bounds.epoch,
            lowest_seq=bounds.lowest_seq,
            next_seq=bounds.next_seq,
            now=stamp_message(self._state.now()),
            agent_version=facts.agent_version,
            protocol_version=PROTOCOL_VERSION,
            labels=facts.labels,
            playbooks=[
                pb.PlaybookInfo(
                    id=playbook.id,
                    family=playbook.family,
                    tier=playbook.tier,
                    heals=playbook.heals,
                    executions=playbook.counters.executions,
                    successes=playbook.counters.successes,
                    failures=playbook.counters.failures,
                )
                for playbook in facts.playbooks
            ],
            targets=facts.targets,
            watches=facts.watches,
            mode=facts.mode.value,
        )

    def _welcomed(self, welcome: pb.Welcome) -> None:
        self.connected = True
        self._backoff.at_least_s = min(welcome.min_retry_ms / 1000, MAX_RETRY_S)
        _log.info("connected to the aggregator at %s", self._aggregator.address)
        if welcome.acting_allowed != self.acting_allowed:
            self._state.submit(Remember("uplink", "acting_allowed", ActingAllowed(welcome.acting_allowed)))
        self.acting_allowed = welcome.acting_allowed
        self._on_acting_allowed(welcome.acting_allowed)

    async def _recall_acting_allowed(self) -> None:
        remembered = await self._state.recall("uplink", ActingAllowed)
        if (last := remembered.get("acting_allowed")) is not None:
            self.acting_allowed = last.allowed
            self._on_acting_allowed(last.allowed)

    async def _keep_identity(self) -> None:
        """What is numbered under one name is not sent under another: the aggregator would miss all that went before."""
        name = self._hello_facts().agent_id
        known = (await self._state.recall("identity", Identity)).get("agent")
        if known is not None and known.agent_id != name:
            _log.warning("this agent was %s until now, and is %s: a new epoch begins", known.agent_id, name)
            await self._outbox.renew_epoch()
        if known is None or known.agent_id != name:
            await self._state.submit(Remember("identity", "agent", Identity(name)))

    async def _answer_loss(self, lost_through: int) -> None:
        """Tells once more how incidents and executions stand, when the aggregator has lost what it had of them."""
        told = ToldAgain(self._outbox.bounds().epoch.hex(), lost_through)
        if lost_through and (await self._state.recall("told_again", ToldAgain)).get("outbox") != told:
            _log.warning("the aggregator has lost records through %d: incidents are told again", lost_through)
            await self._state.tell_again()
            await self._state.submit(Remember("told_again", "outbox", told))

    async def _renew_epoch(self) -> None:
        await self._outbox.renew_epoch()
        self._sent = 0
        bounds = self._outbox.bounds()
        _log.error(
            "the aggregator has other records of this host: it was cloned or restored; a new epoch begins (%d records)",
            bounds.next_seq - bounds.lowest_seq,
        )

    def _report(self, error: GuardianError, wait_s: float) -> None:
        """One line for each new reason; the same reason again is for debugging only."""
        self.last_error = str(error)
        level = logging.DEBUG if self.last_error == self._reported else logging.WARNING
        self._reported = self.last_error
        _log.log(level, "aggregator at %s: %s; next try in %.1f s", self._aggregator.address, error, wait_s)
