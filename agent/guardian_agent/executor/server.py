"""Takes requests of the agent's, one a connection, and carries out what is allowed."""

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Collection
from typing import assert_never

import msgspec

from guardian_agent import __version__
from guardian_agent.executor.afterwards import Afterwards
from guardian_agent.executor.answering import Answering
from guardian_agent.executor.audit import Audit
from guardian_agent.executor.judge import LIMIT_S as POLICY_LIMIT_S
from guardian_agent.executor.judge import Judge
from guardian_agent.executor.lines import encodable, traceback_of
from guardian_agent.executor.operating import Operating
from guardian_agent.executor.pace import Pace
from guardian_agent.executor.policy import Policies
from guardian_agent.executor.record import LIMIT_S as AUDIT_LIMIT_S
from guardian_agent.executor.record import Peer, Record
from guardian_agent.executor.threads import Threads, Work
from guardian_agent.host.executor_wire import (
    ARMED_S,
    REQUEST_LIMIT,
    Answer,
    Ask,
    Disarm,
    Do,
    Done,
    Gone,
    Greeting,
    Hello,
    Refused,
    Renew,
    Request,
)
from guardian_agent.host.protocols.root import Root

IDLE_S = 60.0
LINE_S = 10.0  # how long a connection may take to say what it wants, and to take its answer
CONNECTIONS = 32

log = logging.getLogger(__name__)


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
        afterwards: Afterwards | None = None,
    ) -> None:
        """`users`: whose processes may ask; `armed_s`: for how long nothing need be heard of whoever armed a change;
        `afterwards`: where what is armed is noted for the case that this process is killed."""
        self._users = frozenset(users)
        self._threads = Threads()
        self._record = Record(audit)
        self._judge = Judge(policies)
        self._operating = Operating(
            root, self._judge, self._record, on_lost=self.stop, armed_s=armed_s, afterwards=afterwards
        )
        self._answering = Answering(root, self._judge, self._record, self._threads)
        self._idle_s = idle_s
        self._pace = pace or Pace()
        self._connections: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._idle: asyncio.TimerHandle | None = None

    async def serve(self, listener: socket.socket) -> bool:
        """Returns when there is nothing to do any more, or after `stop`, with nothing armed.

        Answers whether all that was begun has ended. What has not can only be ended with the process.
        """
        loop = asyncio.get_running_loop()
        loop.set_default_executor(self._threads)
        self._operating.take_back_what_is_left()
        listener.setblocking(False)
        # Accepting and counting are one callback: no end for idleness can fall between them and lose a request.
        loop.add_reader(listener, self._accept, listener)
        self._rest()
        try:
            await self._stopping.wait()
        finally:
            loop.remove_reader(listener)
        self._operating.arming.close()
        if self._connections:
            await asyncio.wait(self._connections, timeout=LINE_S if self._operating.lost else None)
        await self._operating.arming.settle()
        await self._record.settle(LINE_S)
        return not self._operating.lost and not self._threads.any_works()

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
            log.error("a request ended its connection: %s", traceback_of(error))
        if not self._stopping.is_set():
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)
            self._rest()

    def _rest(self) -> None:
        if not self._connections:
            if self._idle is not None:
                self._idle.cancel()
            self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._end_when_idle)

    def _end_when_idle(self) -> None:
        if self._operating.arming.is_waiting:
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
            if self._threads.all_hang(Work.POLICY, POLICY_LIMIT_S) or self._threads.all_hang(Work.AUDIT, AUDIT_LIMIT_S):
                self._operating.lost = True
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
        return await self._answer_to(peer, request, reader)

    async def _answer_to(self, peer: Peer, request: Request, reader: asyncio.StreamReader) -> Answer:
        match request:
            case Do():
                if request.undo is not None:
                    await self._pace.wait()  # taking it back has lines of its own
                return await self._operating.do(peer, request, reader.at_eof)
            case Ask():
                return await self._answering.answer(peer, request)
            case Hello():
                return await self._greet()
            case Renew(token):
                return self._renew(token)
            case Disarm(token):
                return self._disarm(token)
            case _:
                assert_never(request)

    async def _greet(self) -> Greeting:
        return Greeting(version=__version__, pid=os.getpid(), refusal=encodable(await self._judge.halted()))

    async def _refuse(self, peer: Peer, what: str, why: str) -> Refused:
        await self._record.refused(self._record.entry(peer, "refused", what, error=why))
        return Refused(encodable(why))

    def _renew(self, token: str) -> Answer:
        return Done() if self._operating.arming.renew(token) else self._gone(token)

    def _disarm(self, token: str) -> Answer:
        if not token:
            self._operating.arming.disarm_all()
            return Done()
        return Done() if self._operating.arming.disarm(token) else self._gone(token)

    def _gone(self, token: str) -> Gone:
        return Gone(self._operating.arming.gone(token) or "this executor has armed nothing under that token")


def _peer_of(connection: socket.socket) -> Peer:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", credentials)
    return Peer(pid=pid, uid=uid)
