"""What may be asked of a whole host, by a playbook that is about no single incident."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """One look of one probe."""

    probe: str
    target: str
    ok: bool | None  # None: it could not tell, and `finding` says why
    issue_type: str = ""
    finding: str = ""
    evidence: dict[str, Any] = {}
    counts: bool = True  # false: it was never good on this host, and so says nothing of a fault


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What one playbook would do: its steps, or why it would do nothing."""

    playbook: str
    target: str
    issue_type: str
    steps: tuple[str, ...] = ()
    refusal: str = ""


class Checkup(Protocol):
    """All of this host at once, for a playbook that is about no single incident."""

    async def looks(self) -> Sequence[Checked]:
        """A look with every probe of the host and of every component."""

    async def previews(self) -> Sequence[Preview]:
        """What every playbook would do for every component, if it had what the playbook heals."""

    async def integrity(self) -> Mapping[str, str]:
        """What is wrong with what must not be changed behind Guardian's back, by what it is; empty texts: nothing."""
