"""Carries out operations, one at a time, and takes back what is armed."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

import msgspec

from guardian_agent.errors import OperationError, ProbeError, RefusedOperationError, UnknownResultError
from guardian_agent.executor.afterwards import Afterwards
from guardian_agent.executor.arming import Arming
from guardian_agent.executor.audit import AuditError, Entry, Outcome
from guardian_agent.executor.judge import Judge
from guardian_agent.executor.lines import encodable, one_line, traceback_of
from guardian_agent.executor.record import Peer, Record, end_of
from guardian_agent.executor.threads import Work, ended, work_of
from guardian_agent.host.executor_wire import ARMED_S, Do, Done, Failed, Refused, Unknown, limit_s
from guardian_agent.host.operations import RootOperation, to_json
from guardian_agent.host.protocols.root import Root

UNDO_LIMIT_S = 30.0
UNDO_RECORD_LIMIT_S = 5.0

log = logging.getLogger(__name__)

Result = Done | Refused | Failed | Unknown
_OUTCOMES: dict[type[Result], Outcome] = {Done: "done", Refused: "refused", Failed: "failed", Unknown: "unknown"}


class Operating:
    """One operation at a time, each with a line when it begins and one when it ends.

    What is armed is taken back beside an operation of another kind, which may take an hour or hang.
    """

    def __init__(
        self,
        root: Root,
        judge: Judge,
        record: Record,
        *,
        on_lost: Callable[[], None],
        armed_s: float = ARMED_S,
        afterwards: Afterwards | None = None,
    ) -> None:
        """`on_lost`: called when an operation has not ended in its time; `afterwards`: where what is armed is noted for
        an executor after one that was killed."""
        self._root = root
        self._judge = judge
        self._record = record
        self._on_lost = on_lost
        self._one_at_a_time = asyncio.Lock()
        self._cutting = asyncio.Lock()  # held while something is done that could cut this host off
        self._afterwards = afterwards
        note = afterwards.note if afterwards else lambda _: None
        self.arming = Arming(self._take_back, armed_s=armed_s, note=note)
        self.lost = False  # a thread may still be at what has not ended, which ends with this process only

    def take_back_what_is_left(self) -> None:
        """Begins to take back what an executor that was killed had armed."""
        if self._afterwards and (left := self._afterwards.left()):
            log.warning("an executor was killed that had armed %d changes: they are taken back", len(left))
            self.arming.take_back(left)

    async def do(self, peer: Peer, request: Do, has_gone: Callable[[], bool]) -> Result:
        """What came of an operation. `has_gone`: whether nobody waits for it any more."""
        operation = request.operation
        entry = self._record.entry(peer, "begun", operation.describe(), to_json(operation))
        async with self._one_at_a_time:
            if self.lost:
                return Unknown("an operation before this one has not ended, and the executor starts anew")
            if has_gone():
                why_not = "whoever asked has gone before it was begun"
            else:
                why_not = await self._judge.refusal(operation, request.undo) or self._not_armed(request)
            return await (self._refuse(entry, why_not) if why_not else self._do(request, entry))

    async def _refuse(self, entry: Entry, why_not: str, within_s: float | None = None) -> Refused:
        error = encodable(why_not)
        await self._record.refused(msgspec.structs.replace(entry, outcome="refused", error=error), within_s=within_s)
        return Refused(error)

    async def _refuse_begun(self, entry: Entry, why_not: str) -> Refused:
        await self._record.refused(end_of(entry, "refused", why_not))
        return Refused(why_not)

    async def _do(self, request: Do, entry: Entry) -> Result:
        most_s = await self._judge.most_armed_s() if request.undo else 0.0
        try:
            await self._record.write(entry)
        except AuditError as error:
            return await self._refuse_begun(entry, str(error))  # the line that begins it may still come
        # Not held while a disk or the configuration is waited for: what is armed could not be taken back meanwhile.
        async with self._cutting if request.operation.may_cut_off else contextlib.nullcontext():
            if why_not := self._not_armed(request):  # by now
                return await self._refuse_begun(entry, why_not)
            if request.undo is not None:
                self.arming.arm(request.token, request.undo, most_s=most_s)
            answer = await self._carry_out(request.operation, limit_s(request.operation))
            if request.undo is not None and isinstance(answer, Refused):
                self.arming.drop_newest(request.token)
        await self._end(entry, answer)
        return answer

    def _not_armed(self, request: Do) -> str:
        return "" if request.undo is None else self.arming.refusal(request.token, request.undo, request.earlier)

    async def _take_back(self, undo: RootOperation) -> None:
        entry = self._record.entry(Peer.own(), "begun", undo.describe(), to_json(undo))
        async with self._cutting:
            if why_not := await self._judge.refusal_to_take_back(undo):
                log.error("what was armed is not allowed any more, and stays: %s", one_line(why_not, 300))
                await self._refuse(entry, why_not, UNDO_RECORD_LIMIT_S)
                return
            try:
                await self._record.write(entry, within_s=UNDO_RECORD_LIMIT_S)
            except AuditError as error:  # a host that is cut off is worse than a line that is missing
                log.error("%s", error)
            with work_of(Work.UNDO):
                answer = await self._carry_out(undo, min(UNDO_LIMIT_S, limit_s(undo)))
        await self._end(entry, answer, UNDO_RECORD_LIMIT_S)

    async def _carry_out(self, operation: RootOperation, within_s: float) -> Result:
        task = await ended(self._root.do(operation), within_s)
        if task is None:
            self.lost = True
            return Unknown(f"not done within {within_s:g} s")
        return _answer(task.exception())

    async def _end(self, entry: Entry, answer: Result, within_s: float | None = None) -> None:
        reason = "" if isinstance(answer, Done) else answer.reason
        try:
            await self._record.write(end_of(entry, _OUTCOMES[type(answer)], reason), within_s=within_s)
        except AuditError as error:  # it is done, and whoever asked must know
            log.error("%s", error)
        if self.lost:
            self._on_lost()


def _answer(error: BaseException | None) -> Result:
    if error is None:
        return Done()
    reason = encodable(str(error))
    if isinstance(error, RefusedOperationError):
        return Refused(reason)
    if isinstance(error, UnknownResultError):
        return Unknown(reason)
    if isinstance(error, OperationError | ProbeError):
        return Failed(reason)
    log.error("an operation failed as it should not: %s", traceback_of(error))
    return Unknown(f"the executor failed in the middle of it: {type(error).__name__}")
