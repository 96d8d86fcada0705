"""`Fleet.Stream`: one agent's stream from Hello to its end."""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import grpc
import grpc.aio

from guardian_aggregator.errors import GuardianError, Refused, StoreError
from guardian_aggregator.ingest import codec
from guardian_aggregator.ingest.budget import ByteBudget
from guardian_aggregator.ingest.roster import BothRefused, Closing, Roster, Session
from guardian_aggregator.model import AgentHello, PageRow
from guardian_aggregator.store import Store

T = TypeVar("T")
Context = grpc.aio.ServicerContext[bytes, bytes]

_log = logging.getLogger(__name__)
_HELLO_TIMEOUT_S = 10.0
_FIRST_WORD_S = 1.0  # an agent with records to send has had the time to
_LAST_WORD_S = 2.0
_TOUCH_S = 30.0
_URI_PREFIX = "guardian://"


class _UnheardError(Exception):
    """What is to be said on a stream cannot be: the agent reads nothing."""


class FleetService:
    """Takes the agents' streams. One batch of a stream is in work at a time; what lies beyond waits in the network.

    So does the batch of an agent that is behind, as long as those in work fill the budget: a whole fleet may come back
    at once. The message of one that is not behind is read first, and waits for the budget before it is looked into.
    """

    def __init__(
        self,
        store: Store,
        *,
        credit: int = 4000,
        min_retry_ms: int = 200,
        acting_allowed: bool = True,
        budget_bytes: int = 64 << 20,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`credit` is how many records an agent may have in flight, unacknowledged; `wall_ns` is the wall clock.

        `budget_bytes` of batches are in work at once, in all streams together; each takes several times that in memory.
        """
        self._store = store
        self._credit = credit
        self._min_retry_ms = min_retry_ms
        self._acting_allowed = acting_allowed
        self._wall_ns = wall_ns
        self._budget = ByteBudget(budget_bytes)
        self._roster = Roster()
        self._streams: set[asyncio.Task[Any]] = set()

    def handler(self) -> grpc.GenericRpcHandler:
        """The service for a gRPC server. Messages stay bytes: those that do not parse get an answer, too."""
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(self.stream)
        return grpc.method_handlers_generic_handler("guardian.v1.Fleet", {"Stream": method})

    def close(self) -> None:
        """Makes every stream end, each after what it is at."""
        self._roster.close()

    async def ended(self) -> None:
        """Waits until no stream is served any more; gRPC does not wait for those whose agent has gone."""
        while self._streams:
            await asyncio.wait(self._streams)
            await asyncio.sleep(0)

    async def keep(self) -> None:
        """Notes now and then who is here, until it is cancelled; what could not be stored about it is stored then."""
        while True:
            await asyncio.sleep(_TOUCH_S)
            with suppress(StoreError):  # the writer has said so
                await self._store.touch(self._roster.present(), self._wall_ns())

    async def stream(self, _requests: Any, context: Context) -> None:
        """Serves one stream; every way in which it ends is said to the agent."""
        if (task := asyncio.current_task()) is not None:
            self._streams.add(task)
            task.add_done_callback(self._streams.discard)
        hello: AgentHello | None = None
        try:
            hello = await self._hello(context)
            if hello is not None:
                await self._serve(hello, context)
        except Refused as refused:
            await self._refuse(refused, hello, context)
        except _UnheardError:
            _log.warning("%s: the stream was given up: the agent reads nothing", context.peer())
        except (StoreError, Closing) as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))

    async def _hello(self, context: Context) -> AgentHello | None:
        try:
            data = await asyncio.wait_for(_read(context), _HELLO_TIMEOUT_S)
        except TimeoutError:
            raise Refused("MALFORMED", f"no Hello within {_HELLO_TIMEOUT_S:.0f} s") from None
        return None if data is None else codec.read_hello(codec.read_message(data))

    async def _serve(self, hello: AgentHello, context: Context) -> None:
        check_identity(hello.stream.agent_id, context.auth_context())
        session = self._roster.enter(hello.stream, self._wall_ns())
        session.next_seq = hello.next_seq
        try:
            greeting = await self._store.greet(hello, self._wall_ns())
            session.watermark = greeting.watermark
            self._roster.confirm(session)
            welcome = codec.welcome(
                greeting,
                credit=self._credit,
                min_retry_ms=self._min_retry_ms,
                now_ns=self._wall_ns(),
                acting_allowed=self._acting_allowed,
            )
            await _say(welcome, session, context)
            while await self._turn(session, context):
                await _say(codec.ack(session.watermark, credit=self._credit), session, context)
        finally:
            if self._roster.leave(session):
                with suppress(StoreError):  # `keep` notes it, too
                    await self._store.parted(hello.stream.agent_id, self._wall_ns())

    async def _turn(self, session: Session, context: Context) -> bool:
        """Reads a batch and stores it, within the budget; False after the last."""
        share = self._budget.share()
        read: asyncio.Future[bytes | None] | None = None
        try:
            if session.watermark + 1 < session.next_seq:  # it has more, and sends it at once
                await _unless_fenced(session, share.hold(codec.MAX_MESSAGE_BYTES))
            read = asyncio.ensure_future(_read(context))
            waiting: list[asyncio.Future[Any]] = [read, session.fenced]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=_FIRST_WORD_S)
            if not read.done():
                share.release()
            data = await _unless_fenced(session, read)
            if data is None:
                return False
            await _unless_fenced(session, share.hold(len(data)))
            session.watermark = await self._take(data, session)
            return True
        finally:
            share.release()
            if read is not None:
                read.cancel()

    async def _take(self, data: bytes, session: Session) -> int:
        """Stores a batch; the watermark after it."""
        now_ns = self._wall_ns()
        batch = codec.read_batch(codec.read_message(data), session.stream, now_ns, self._credit)
        codec.check_gaps(batch, session.next_seq)
        (outcome,) = await self._store.commit([batch], now_ns)
        if isinstance(outcome, GuardianError):
            raise outcome
        return outcome

    async def _refuse(self, refused: Refused, hello: AgentHello | None, context: Context) -> None:
        who = hello.stream.agent_id if hello else context.peer()
        page = self._page_about(refused, hello) if hello else None
        paged = False
        with suppress(StoreError):  # the writer has said so; the agent is answered all the same
            paged = await self._store.refused(refused.code, page)
        level = logging.INFO if refused.code == "SUPERSEDED" else logging.WARNING
        _log.log(level, "%s: stream refused: %s: %s%s", who, refused.code, refused, " (paged)" if paged else "")
        await context.write(codec.refusal(refused))

    def _page_about(self, refused: Refused, hello: AgentHello) -> PageRow | None:
        """The page for a refusal that a person must see; of one fork there is one page, however often it returns."""
        now_ns = self._wall_ns()
        stream = hello.stream
        if refused.code == "EPOCH_FORK":
            reason, once = "epoch_fork", f"{stream.agent_id}/{stream.epoch.hex()}"
        elif isinstance(refused, BothRefused) and refused.first:
            reason, once = "two_epochs", f"{stream.agent_id}/{now_ns}"
        else:
            return None
        return PageRow(
            page_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{_URI_PREFIX}{once}#{reason}")),
            agent_id=stream.agent_id,
            incident_id="",
            target="",
            reason=reason,
            text=f"{stream.agent_id}: {refused}",
            at=now_ns,
        )


def check_identity(agent_id: str, auth_context: Mapping[str, Iterable[bytes]]) -> None:
    """Compares the name an agent gives itself with its certificate, where that carries any URI.

    Raises:
        Refused: WRONG_IDENTITY.
    """
    # `peer_uri` has the URIs alone; `x509_subject_alternative_name` has names of every kind, told apart by nothing.
    uris = [name.decode("utf-8", "replace") for name in auth_context.get("peer_uri", ())]
    if uris and f"{_URI_PREFIX}{agent_id}" not in uris:
        raise Refused("WRONG_IDENTITY", f"the certificate is for {', '.join(uris)}, not for {agent_id}")


async def _read(context: Context) -> bytes | None:
    """The next message; None after the last."""
    data: bytes | object = await context.read()
    return data if isinstance(data, bytes) else None


async def _say(message: bytes, session: Session, context: Context) -> None:
    """Says something to the agent. An agent that reads nothing holds it up, but not beyond the session's end.

    Raises:
        _UnheardError: the session was fenced, and the agent still does not read.
    """
    write = asyncio.ensure_future(context.write(message))
    try:
        waiting: list[asyncio.Future[Any]] = [write, session.fenced]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not write.done():  # gRPC takes no other message, not even the refusal, before this one
            await asyncio.wait([write], timeout=_LAST_WORD_S)
        if not write.done():
            raise _UnheardError
        write.result()
    finally:
        write.cancel()


async def _unless_fenced(session: Session, work: Awaitable[T]) -> T:
    """What `work` comes to, unless the session is fenced meanwhile.

    Raises:
        GuardianError: the session was fenced; this is why.
    """
    task = asyncio.ensure_future(work)
    try:
        waiting: list[asyncio.Future[Any]] = [task, session.fenced]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if session.fenced.done():
            raise session.fenced.result()
        return task.result()
    finally:
        task.cancel()
