"""Takes requests of the agent's, one a connection, and carries out what is allowed."""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import struct
from collections.abc import Collection
from typing import Any, NamedTuple, assert_never

import msgspec

from guardian_agent import __version__
from guardian_agent.errors import (
    OperationError,
    ProbeError,
    RefusedOperationError,
    UnknownResultError,
)
from guardian_agent.executor.arming import Arming
from guardian_agent.executor.audit import Audit, AuditError, Entry, Outcome
from guardian_agent.executor.pace import Pace
from guardian_agent.executor.policy import Policies, PolicyError
from guardian_agent.executor.rules import refusal, refusal_to_tell
from guardian_agent.host.executor_wire import (
    ANSWER_LIMIT,
    ARMED_S,
    ASK_LIMIT_S,
    REQUEST_LIMIT,
    Answer,
    Ask,
    Disarm,
    Do,
    Done,
    Failed,
    Greeting,
    Hello,
    Refused,
    Renew,
    Request,
    Told,
    Unknown,
    limit_s,
)
from guardian_agent.host.operations import RootOperation, to_json
from guardian_agent.host.protocols.root import Root

IDLE_S = 60.0
LINE_S = 10.0  # how long a connection may take to say what it wants, and to take its answer
CONNECTIONS = 32

log = logging.getLogger(__name__)


class Peer(NamedTuple):
    """The process that connected (unix(7), SO_PEERCRED)."""

    pid: int
    uid: int


class Executor:
    """Serves a listening socket until there has been nothing to do for `idle_s` seconds.

    One operation at a time. Whatever has begun is carried through, whether or not somebody still waits for it.
    """

    def __init__(
        self,
        root: Root,
        policies: Policies,
        audit: Audit,
        *,
        users: Collection[int],
        idle_s: float = IDLE_S,
        armed_s: float = ARMED_S,
        pace: Pace | None = None,
    ) -> None:
        """`users`: whose processes may ask; `armed_s`: for how long nothing need be heard of whoever armed a change."""
        self._root = root
        self._policies = policies
        self._audit = audit
        self._users = frozenset(users)
        self._idle_s = idle_s
        self._pace = pace or Pace()
        self._connections: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()
        self._arming = Arming(self._take_back, armed_s=armed_s)
        self._stopping = asyncio.Event()
        self._idle: asyncio.TimerHandle | None = None
        self._lost = False

    async def serve(self, listener: socket.socket) -> bool:
        """Returns when there is nothing to do any more, or after `stop`.

        Answers whether all that was begun has ended. What has not can only be ended with the process.
        """
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        # Accepting and counting are one callback: no end for idleness can fall between them and lose a request.
        loop.add_reader(listener, self._accept, listener)
        self._rest()
        try:
            await self._stopping.wait()
        finally:
            loop.remove_reader(listener)
        if self._connections and not self._lost:
            await asyncio.wait(self._connections)
        await self._arming.settle()
        return not self._lost

    def stop(self) -> None:
        """Takes no more requests; `serve` returns after those that are there."""
        self._stopping.set()

    def _accept(self, listener: socket.socket) -> None:
        if len(self._connections) >= CONNECTIONS:  # the others wait in the socket's queue
            asyncio.get_running_loop().remove_reader(listener)
            return
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        if self._idle is not None:
            self._idle.cancel()
        task = asyncio.get_running_loop().create_task(self._serve(connection), name="executor connection")
        self._connections.add(task)
        task.add_done_callback(lambda done: self._ended(done, listener))

    def _ended(self, task: asyncio.Task[None], listener: socket.socket) -> None:
        self._connections.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a request ended its connection", exc_info=error)
        if not self._stopping.is_set():
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)
            self._rest()

    def _rest(self) -> None:
        if not self._connections:
            if self._idle is not None:
                self._idle.cancel()
            self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._end_when_idle)

    def _end_when_idle(self) -> None:
        if self._arming.is_waiting:
            self._rest()
        else:
            self.stop()

    async def _serve(self, connection: socket.socket) -> None:
        peer = _peer_of(connection)
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=REQUEST_LIMIT)
        writer.transport.set_write_buffer_limits(0)  # an answer is out when `drain` returns
        try:
            answer = await self._answer(peer, reader)
            if answer is not None:
                writer.write(msgspec.json.encode(answer) + b"\n")
                async with asyncio.timeout(LINE_S):
                    await writer.drain()
        except (OSError, TimeoutError):  # the other side is gone, or neither speaks nor reads
            writer.transport.abort()
        finally:
            writer.close()
            if self._lost:
                self.stop()

    async def _answer(self, peer: Peer, reader: asyncio.StreamReader) -> Answer | None:
        """None when nothing was asked."""
        await self._pace.wait()
        if peer.uid not in self._users:
            return await self._refuse(peer, "connect", f"user {peer.uid} may not ask the executor for anything")
        try:
            async with asyncio.timeout(LINE_S):
                line = await reader.readline()
        except ValueError:  # StreamReader.readline's word for a line beyond the limit
            return await self._refuse(peer, "a request", f"a request has at most {REQUEST_LIMIT} bytes")
        if not line.endswith(b"\n"):
            return None
        try:
            request = msgspec.json.decode(line, type=Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return await self._refuse(peer, "a request", f"no request that this version knows: {error}")
        match request:
            case Do():
                return await self._do(peer, request, reader)
            case Ask():
                return await self._ask(peer, request)
            case Hello():
                return await self._greet()
            case Renew(token):
                self._arming.renew(token)
                return Done()
            case Disarm(token):
                self._arming.disarm(token)
                return Done()
            case _:
                assert_never(request)

    async def _do(self, peer: Peer, request: Do, reader: asyncio.StreamReader) -> Answer:
        operation = request.operation
        what, detail = operation.describe(), to_json(operation)
        async with self._one_at_a_time:
            if self._lost:
                return Unknown("an operation before this one has not ended, and the executor starts anew")
            if reader.at_eof():
                return await self._refuse(peer, what, "whoever asked has gone before it was begun", detail)
            if why_not := await self._why_not(request):
                return await self._refuse(peer, what, why_not, detail)
            entry = Entry(id=_new_id(), uid=peer.uid, pid=peer.pid, outcome="begun", what=what, request=detail)
            try:
                await self._write(entry)
            except AuditError as error:
                return Refused(str(error))
            try:
                if request.undo is not None:
                    self._arming.arm(request.token, request.undo)
            except ValueError as error:
                return Refused(str(error))
            answer = await self._carry_out(operation, entry)
            if request.undo is not None and isinstance(answer, Refused):
                self._arming.drop_newest(request.token)
            return answer

    async def _why_not(self, request: Do) -> str:
        """Why an operation is refused, or what would take it back; empty when neither is."""
        try:
            policy = await self._policies.current()
        except PolicyError as error:
            return str(error)
        if why_not := refusal(request.operation, policy):
            return why_not
        if request.undo is None:
            return ""
        if not request.token:
            return "what is armed needs a token"
        return f"taking it back: {why_not}" if (why_not := refusal(request.undo, policy)) else ""

    async def _take_back(self, undo: RootOperation) -> None:
        """Carries out an undo that nobody disarmed. It was allowed when it was armed, and is done whatever is now."""
        async with self._one_at_a_time:
            entry = Entry(
                id=_new_id(),
                uid=os.geteuid(),
                pid=os.getpid(),
                outcome="begun",
                what=undo.describe(),
                request=to_json(undo),
            )
            try:
                await self._write(entry)
            except AuditError as error:  # a host that is cut off is worse than a line that is missing
                log.error("%s", error)
            await self._carry_out(undo, entry)

    async def _carry_out(self, operation: RootOperation, entry: Entry) -> Answer:
        answer: Answer = Unknown("the executor failed in the middle of it")
        outcome: Outcome = "unknown"
        within_s = limit_s(operation)
        try:
            async with asyncio.timeout(within_s):
                await self._root.do(operation)
            answer, outcome = Done(), "done"
        except TimeoutError:
            self._lost = True  # a thread may still be at it, which ends with this process only
            answer = Unknown(f"not done within {within_s:g} s")
        except RefusedOperationError as error:
            answer, outcome = Refused(str(error)), "refused"
        except UnknownResultError as error:
            answer = Unknown(str(error))
        except (OperationError, ProbeError) as error:
            answer, outcome = Failed(str(error)), "failed"
        finally:
            reason = "" if isinstance(answer, Done) else getattr(answer, "reason", "")
            end = msgspec.structs.replace(entry, outcome=outcome, request=None, error=reason)
            try:
                await self._write(end)
            except AuditError as error:  # it is done, and whoever asked must know
                log.error("%s", error)
        return answer

    async def _ask(self, peer: Peer, request: Ask) -> Answer:
        question = request.question
        what, detail = question.describe(), msgspec.to_builtins(question)
        try:
            if why_not := refusal_to_tell(question, await self._policies.current()):
                return await self._refuse(peer, what, why_not, detail)
        except PolicyError as error:
            return await self._refuse(peer, what, str(error), detail)
        outcome: Outcome = "failed"
        answer: Told | Failed
        try:
            async with asyncio.timeout(ASK_LIMIT_S):
                raw = msgspec.json.encode(await self._root.ask(question))
            if len(raw) < ANSWER_LIMIT - 1024:
                answer, outcome = Told(msgspec.Raw(raw)), "answered"
            else:
                answer = Failed(f"the answer is longer than {ANSWER_LIMIT} bytes")
        except TimeoutError:
            answer = Failed(f"no answer within {ASK_LIMIT_S:g} s")
        except ProbeError as error:
            answer = Failed(str(error))
        reason = answer.reason if isinstance(answer, Failed) else ""
        try:
            entry = Entry(id=_new_id(), uid=peer.uid, pid=peer.pid, outcome=outcome, what=what, request=detail)
            await self._write(msgspec.structs.replace(entry, error=reason))
        except AuditError as error:
            return Failed(str(error))
        return answer

    async def _greet(self) -> Greeting:
        try:
            why_not = (await self._policies.current()).halted()
        except PolicyError as error:
            why_not = str(error)
        return Greeting(version=__version__, pid=os.getpid(), refusal=why_not)

    async def _refuse(self, peer: Peer, what: str, why: str, detail: dict[str, Any] | None = None) -> Refused:
        entry = Entry(id=_new_id(), uid=peer.uid, pid=peer.pid, outcome="refused", what=what, request=detail, error=why)
        with contextlib.suppress(AuditError):  # what is not done needs no line
            await self._write(entry)
        return Refused(why)

    async def _write(self, entry: Entry) -> None:
        level = logging.INFO if entry.outcome in ("begun", "done", "answered") else logging.WARNING
        log.log(level, "user %d: %.200s: %s %.300s", entry.uid, entry.what, entry.outcome, entry.error)
        await asyncio.to_thread(self._audit.write, entry)


def _peer_of(connection: socket.socket) -> Peer:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", credentials)
    return Peer(pid=pid, uid=uid)


def _new_id() -> str:
    return secrets.token_hex(6)
