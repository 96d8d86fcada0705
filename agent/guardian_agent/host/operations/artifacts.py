"""Changes to declared files whose content is known."""

import shlex

from guardian_agent.host.operations.base import Change

QUARANTINE = "/var/lib/guardian-executor/quarantine"


class QuarantineArtifact(Change, frozen=True, tag=True):
    """Keeps what is at `path` in the quarantine under the name `kept`, and puts a copy of `good_copy` in its place.

    The copy must have the hash `sha256`; without one, the MD5 that the path's package has for it. A file that is good
    already is fine, and then nothing is kept. There is no moment without a file.
    """

    path: str
    good_copy: str
    kept: str
    sha256: str | None = None

    def describe(self) -> str:
        aside = f"install -D -m 000 {shlex.quote(self.path)} {QUARANTINE}/{shlex.quote(self.kept)}/content"
        return f"{aside} && install {shlex.quote(self.good_copy)} {shlex.quote(self.path)}"


class PutBackArtifact(Change, frozen=True, tag=True):
    """Puts back what was kept as `kept`, to the byte and with its owner, mode and times; what was missing is removed.

    Nothing kept under that name is fine: then nothing was replaced.
    """

    path: str
    kept: str

    def describe(self) -> str:
        return f"cp --archive {QUARANTINE}/{shlex.quote(self.kept)}/content {shlex.quote(self.path)}"


ArtifactOperation = QuarantineArtifact | PutBackArtifact
