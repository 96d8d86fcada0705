"""Has what needs root done by the executor, which is root and asks its own configuration whether it may."""

import asyncio
import logging
import os
import secrets
import socket
import struct
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from guardian_agent.errors import (
    GuardianError,
    NotReachedError,
    OperationError,
    ProbeError,
    RefusedOperationError,
    TakenBackError,
    UnknownResultError,
)
from guardian_agent.host.executor_wire import (
    ANSWER_LIMIT,
    ARMED_S,
    ASK_LIMIT_S,
    REQUEST_LIMIT,
    WAIT_LIMIT_S,
    Answer,
    Ask,
    Disarm,
    Do,
    Done,
    Failed,
    Gone,
    Greeting,
    Hello,
    Refused,
    Renew,
    Request,
    Told,
    Unknown,
    limit_s,
)
from guardian_agent.host.operations import RootOperation
from guardian_agent.host.questions import Question, RootQuestion

T = TypeVar("T")
log = logging.getLogger(__name__)

START_S = 15.0  # systemd starts the executor, on a machine that is ill
HELLO_S = 5.0
AGAIN_S = 0.5


class _UnreachableError(GuardianError):
    """No whole answer came."""


def executor_at(path: Path) -> "ExecutorClient | None":
    """The executor, for a process that needs one: that is not root, or that is and finds one installed. An agent that
    is root and finds none does everything itself."""
    return ExecutorClient(path) if os.geteuid() != 0 or path.is_socket() else None


class _NotToldError(_UnreachableError):
    """Nobody was there to be asked."""


class ExecutorClient:
    """The agent's side of the executor's socket. Every request has a connection of its own: nothing is left half read.

    Until the answer is there nobody knows whether an operation was carried out: the executor goes on with what it has
    begun, whoever asked for it.
    """

    def __init__(self, path: Path, *, owner: int = 0) -> None:
        """`owner`: the user whom the executor must run as."""
        self.path = path
        self._owner = owner
        self._token = ""  # of what is armed; empty: nothing is
        self._armed_count = 0
        self._gone = ""  # why what was armed has been taken back
        self._renewing: asyncio.Task[None] | None = None

    async def do(self, operation: RootOperation, undo: RootOperation | None = None) -> None:
        """Has one operation carried out and returns when it has taken effect. One that may cut this host off is armed
        with its `undo`, and has to be kept.

        Raises:
            RefusedOperationError: it is not allowed, and nothing was done.
            NotReachedError: there is no executor, and nothing was done; it may be there later.
            UnknownResultError: the executor's answer was lost.
            OperationError: it did not work.
        """
        shown = operation.describe()
        arms = operation.may_cut_off and undo is not None
        if arms and self._gone:
            raise RefusedOperationError(f"{shown}: {self._gone}")
        try:
            request = self._armed(operation, undo) if arms and undo else Do(operation)
            answer = await self._request(request, WAIT_LIMIT_S + limit_s(operation) + START_S)
        except _NotToldError as error:
            raise NotReachedError(f"{shown}: {error}") from error
        except _UnreachableError as error:
            raise UnknownResultError(f"{shown}: {error}") from error
        self._armed_count += arms and not isinstance(answer, Refused)
        match answer:
            case Done():
                return
            case Refused(reason):
                raise RefusedOperationError(_said(shown, reason))
            case Failed(reason):
                raise OperationError(_said(shown, reason))
            case Unknown(reason):
                raise UnknownResultError(_said(shown, reason))
            case _:
                raise UnknownResultError(f"{shown}: the executor answered something else")

    async def keep(self, *, of_others: bool = False) -> None:
        """What was changed may stay: nothing is taken back by itself any more.

        Raises:
            TakenBackError: what this agent had changed was taken back already, or is, by an executor that cannot be
                told.
        """
        if of_others:
            try:
                await self._request(Disarm(), HELLO_S)
            except _UnreachableError as error:
                log.error("what was armed cannot be kept, and is taken back: %s", error)
        if not self._token:
            return
        token, gone, made = self._token, self._gone, self._armed_count
        await self.let_go()
        if (gone := gone or await self._why_not_kept(token)) and made:
            raise TakenBackError(f"taken back by the executor: {gone}")

    async def _why_not_kept(self, token: str) -> str:
        """Says that what is armed may stay, again and again until it would be taken back; empty when that was heard."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + ARMED_S
        while True:
            try:
                answer = await self._request(Disarm(token), HELLO_S)
            except _UnreachableError as error:
                if loop.time() + AGAIN_S >= deadline_s:
                    return f"it cannot be told that it may stay: {error}"
                await asyncio.sleep(AGAIN_S)
                continue
            if isinstance(answer, Done):
                return ""
            return answer.reason if isinstance(answer, Gone | Refused) else "it answered something else"

    async def let_go(self) -> None:
        """Says no more that this agent lives: the executor takes back what is armed, in `ARMED_S` seconds at most."""
        self._token, self._gone, self._armed_count = "", "", 0
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
            self._renewing = None

    def _armed(self, operation: RootOperation, undo: RootOperation) -> Do:
        self._token = self._token or secrets.token_hex(16)
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew(self._token), name="renew what is armed")
        return Do(operation, undo, self._token, self._armed_count)

    async def _renew(self, token: str) -> None:
        """Says that this agent lives, for as long as it does and something is armed."""
        while True:
            await asyncio.sleep(ARMED_S / 4)
            try:
                answer = await self._request(Renew(token), HELLO_S)
            except _UnreachableError as error:
                log.warning("the executor does not hear that this agent lives: %s", error)
                continue
            if isinstance(answer, Gone) and self._armed_count:  # not while the first one is under way
                log.warning("what was changed has been taken back by the executor: %s", answer.reason)
                self._gone = answer.reason
                return

    async def ask(self, question: Question[T]) -> T:
        """The answer to one question. Raises ProbeError."""
        shown = question.describe()
        try:
            answer = await self._request(Ask(cast(RootQuestion, question)), ASK_LIMIT_S + START_S)
        except _UnreachableError as error:
            raise ProbeError(f"{shown}: {error}") from error
        match answer:
            case Told(raw):
                try:
                    return cast(T, msgspec.json.decode(raw, type=question.answer_type))
                except msgspec.MsgspecError as error:
                    raise ProbeError(f"{shown}: the executor's answer makes no sense: {error}") from error
            case Refused(reason) | Failed(reason):
                raise ProbeError(_said(shown, reason))
            case _:
                raise ProbeError(f"{shown}: the executor answered something else")

    async def greeting(self) -> Greeting:
        """Whether the executor answers, and whether it would do anything. Raises ProbeError."""
        try:
            answer = await self._request(Hello(), HELLO_S)
        except _UnreachableError as error:
            raise ProbeError(str(error)) from error
        match answer:
            case Greeting():
                return answer
            case Refused(reason):
                raise ProbeError(f"the executor refuses: {reason}")
            case _:
                raise ProbeError("the executor answered something else")

    async def _request(self, request: Request, within_s: float) -> Answer:
        line = msgspec.json.encode(request) + b"\n"
        if len(line) > REQUEST_LIMIT:
            return Refused(f"a request has at most {REQUEST_LIMIT} bytes, and this one {len(line)}")
        try:
            async with asyncio.timeout(within_s):
                answer: Answer = msgspec.json.decode(await self._exchange(line), type=Answer)
                return answer
        except TimeoutError as error:
            raise _UnreachableError(f"the executor gave no answer within {within_s:g} s") from error
        except OSError as error:
            raise _UnreachableError(f"the executor was lost in the middle: {error.strerror or error}") from error
        except ValueError as error:  # no answer of an executor's, or one beyond the limit
            raise _UnreachableError(f"what listens at {self.path} does not answer like an executor") from error

    async def _exchange(self, line: bytes) -> bytes:
        try:
            reader, writer = await asyncio.open_unix_connection(os.fspath(self.path), limit=ANSWER_LIMIT)
        except OSError as error:
            text = f"the executor cannot be reached at {self.path}: {error.strerror or error}"
            raise _NotToldError(text) from error
        try:
            if (user := _owner_of(writer.get_extra_info("socket"))) != self._owner:
                raise _NotToldError(f"user {user} listens at {self.path}, which is not the executor")
            writer.write(line)
            await writer.drain()
            answer = await reader.readline()
        finally:
            writer.close()
        if not answer.endswith(b"\n"):
            raise _UnreachableError("the executor ended before its answer was there")
        return answer


def _owner_of(connection: socket.socket) -> int:
    """The user who listened there first (unix(7), SO_PEERCRED): root, when systemd did."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return int(user)


def _said(shown: str, reason: str) -> str:
    return reason if reason.startswith(shown) else f"{shown}: {reason}"
