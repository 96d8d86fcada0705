"""Did it come back?"""

from collections.abc import Hashable, Iterable

import msgspec

WITHIN_S = 86_400.0


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One incident's place in the history of its target. Times in seconds since the epoch; `end` None while open."""

    id: str
    subject: Hashable  # what makes two incidents the same trouble: host, target and issue type
    start: float
    end: float | None


def recurrences(episodes: Iterable[Episode], within_s: float = WITHIN_S) -> set[str]:
    """The ids of those that began at most `within_s` seconds after an earlier one of the same subject had ended.

    It looks back, not ahead: whether an incident is a recurrence is known when it opens, whether it will recur is not
    known for a day.
    """
    found: set[str] = set()
    last_end: dict[Hashable, float] = {}
    for episode in sorted(episodes, key=lambda each: each.start):
        before = last_end.get(episode.subject)
        if before is not None and 0 <= episode.start - before <= within_s:
            found.add(episode.id)
        if episode.end is not None:
            last_end[episode.subject] = max(episode.end, before) if before is not None else episode.end
    return found
