"""What only root can read of declared files."""

from typing import ClassVar

import msgspec

from guardian_agent.host.questions.base import Question


class CopyState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a good copy may be put in a file's place."""

    complaint: str = ""  # why not; empty when it may
    sha256: str = ""
    size_bytes: int = 0


class JudgeCopy(Question[CopyState], frozen=True, tag=True):
    """Whether `good_copy` is what belongs at `path`: by the hash `sha256`, or else by the package's MD5."""

    answer_type: ClassVar = CopyState
    path: str
    good_copy: str
    sha256: str | None = None

    def describe(self) -> str:
        return f"whether {self.good_copy} is good for {self.path}"


ArtifactQuestion = JudgeCopy
