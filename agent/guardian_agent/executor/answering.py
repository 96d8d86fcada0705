"""Answers questions, of which some hang."""

import logging

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.executor.audit import AuditError, Outcome
from guardian_agent.executor.judge import Judge
from guardian_agent.executor.lines import encodable, traceback_of
from guardian_agent.executor.record import Peer, Record
from guardian_agent.executor.threads import Threads, Work, ended, work_of
from guardian_agent.host.executor_wire import ANSWER_LIMIT, ASK_LIMIT_S, Ask, Failed, Refused, Told
from guardian_agent.host.protocols.root import Root

MOST_AT_ONCE = 16  # of them; the other connections are left to what changes something

log = logging.getLogger(__name__)


class Answering:
    """Every question ends with an answer and a line in the audit log, whatever becomes of it."""

    def __init__(self, root: Root, judge: Judge, record: Record, threads: Threads) -> None:
        self._root = root
        self._judge = judge
        self._record = record
        self._threads = threads
        self._asked = 0

    async def answer(self, peer: Peer, request: Ask) -> Told | Failed | Refused:
        """What is known, or why it is not told."""
        question = request.question
        what, detail = question.describe(), msgspec.to_builtins(question)
        if why_not := await self._judge.refusal_to_tell(question):
            await self._record.refused(self._record.entry(peer, "refused", what, detail, why_not))
            return Refused(why_not)
        answer = await self._answer(request)
        reason = answer.reason if isinstance(answer, Failed) else ""
        outcome: Outcome = "failed" if isinstance(answer, Failed) else "answered"
        try:
            await self._record.write(self._record.entry(peer, outcome, what, detail, reason))
        except AuditError as error:
            return Failed(str(error))
        return answer

    async def _answer(self, request: Ask) -> Told | Failed:
        if self._asked >= MOST_AT_ONCE:
            return Failed(f"{MOST_AT_ONCE} questions are being answered already")
        if self._threads.all_hang(Work.QUESTION, ASK_LIMIT_S):
            return Failed("all threads for questions hang, as on a file of a server that is gone")
        self._asked += 1
        try:
            with work_of(Work.QUESTION):
                task = await ended(self._told(request), ASK_LIMIT_S)
        finally:
            self._asked -= 1
        if task is None:
            return Failed(f"no answer within {ASK_LIMIT_S:g} s")
        if (error := task.exception()) is None:
            return task.result()
        if isinstance(error, ProbeError):
            return Failed(encodable(str(error)))
        log.error("a question failed: %s", traceback_of(error))
        return Failed(f"the executor failed at it: {type(error).__name__}")

    async def _told(self, request: Ask) -> Told | Failed:
        try:
            raw = msgspec.json.encode(await self._root.ask(request.question))
        except UnicodeEncodeError:
            return Failed("a name in the answer is no UTF-8")
        if len(raw) < ANSWER_LIMIT - 1024:
            return Told(msgspec.Raw(raw))
        return Failed(f"the answer is longer than {ANSWER_LIMIT} bytes")
