"""Who is connected: the newest stream of an agent fences the others, and two hosts under one name are both refused."""

import asyncio
from collections import deque

from guardian_aggregator.errors import GuardianError, Refused
from guardian_aggregator.model import StreamId

ALTERNATION_NS = 600 * 10**9
_RETURNS = 2  # this often back to an epoch already left: no reinstalled host does that
_EPOCHS_REMEMBERED = 16


class Closing(GuardianError):  # noqa: N818 (nothing went wrong)
    """The aggregator is stopping; the agent comes back when it is there again."""

    def __init__(self) -> None:
        super().__init__("the aggregator is stopping")


class Session:
    """One stream that has said Hello."""

    def __init__(self, stream: StreamId) -> None:
        self.stream = stream
        self.next_seq = 1  # of its Hello
        self.watermark = 0
        self.confirmed = False
        self.fenced: asyncio.Future[GuardianError] = asyncio.get_running_loop().create_future()

    def fence(self, why: GuardianError) -> None:
        """Makes the stream end with `why`; the first reason stays."""
        if not self.fenced.done():
            self.fenced.set_result(why)


class _Epochs:
    """Which epochs one agent's streams have had, newest last, and when they went back to one of them."""

    def __init__(self, epoch: bytes) -> None:
        self.current = epoch
        self.left: deque[bytes] = deque(maxlen=_EPOCHS_REMEMBERED)
        self.returns: list[int] = []
        self.refusing = False

    def note(self, epoch: bytes, now_ns: int) -> bool:
        """Notes a Hello; True while the epochs keep alternating."""
        if epoch != self.current:
            if epoch in self.left:
                self.returns.append(now_ns)
            self.left.append(self.current)
            self.current = epoch
        self.returns = [at for at in self.returns if at > now_ns - ALTERNATION_NS]
        return len(self.returns) >= _RETURNS


class BothRefused(Refused):
    """Two epochs of one agent keep alternating; `first` where this is the Hello that showed it."""

    def __init__(self, detail: str, *, first: bool) -> None:
        super().__init__("BOTH_REFUSED", detail)
        self.first = first


class Roster:
    """The streams of all agents at this moment, and the epochs they had lately. Lives in memory."""

    def __init__(self) -> None:
        self._sessions: dict[str, list[Session]] = {}
        self._epochs: dict[str, _Epochs] = {}
        self._closing = False

    def enter(self, stream: StreamId, now_ns: int) -> Session:
        """A session for a stream that has said Hello; it fences nobody before `confirm`.

        Raises:
            BothRefused: two epochs of this agent came in turn, twice within ten minutes; the streams it has end too.
            Closing: after `close`.
        """
        if self._closing:
            raise Closing
        agent_id = stream.agent_id
        epochs = self._epochs.setdefault(agent_id, _Epochs(stream.epoch))
        alternating = epochs.note(stream.epoch, now_ns)
        first = alternating and not epochs.refusing
        epochs.refusing = alternating
        if alternating:
            detail = f"two hosts call themselves {agent_id} and keep taking turns; stop or rename one of them"
            refused = BothRefused(detail, first=first)
            for session in self._sessions.get(agent_id, []):
                session.fence(Refused(refused.code, detail))
            raise refused
        session = Session(stream)
        self._sessions.setdefault(agent_id, []).append(session)
        return session

    def confirm(self, session: Session) -> None:
        """Ends the agent's older streams as SUPERSEDED. One that came later stays: it will end this one."""
        sessions = self._sessions[session.stream.agent_id]
        session.confirmed = True
        for older in sessions[: sessions.index(session)]:
            older.fence(Refused("SUPERSEDED", "a newer stream of this agent took over"))

    def present(self) -> dict[str, bool]:
        """The agents that are here, and whether a Hello of theirs has been taken yet."""
        return {agent_id: any(one.confirmed for one in sessions) for agent_id, sessions in self._sessions.items()}

    def leave(self, session: Session) -> bool:
        """Takes the session off; True when the agent has no other."""
        sessions = self._sessions[session.stream.agent_id]
        sessions.remove(session)
        if sessions:
            return False
        del self._sessions[session.stream.agent_id]
        return True

    def close(self) -> None:
        """Ends every stream, and lets none in any more."""
        self._closing = True
        for sessions in self._sessions.values():
            for session in sessions:
                session.fence(Closing())
