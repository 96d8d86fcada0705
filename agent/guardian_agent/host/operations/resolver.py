"""Changes to the files that decide how this host resolves names."""

import hashlib
import posixpath
import shlex

from guardian_agent.host.operations.base import Change

RESOLV_CONF = "/etc/resolv.conf"
NAME_FILES = (RESOLV_CONF, "/etc/hosts")
MOST_BYTES = 65536
# systemd-resolved(8), resolvconf(8), NetworkManager.conf(5) rc-manager, connman(8)
RESOLVERS_OWN = (
    "/run/systemd/resolve/stub-resolv.conf",
    "/run/systemd/resolve/resolv.conf",
    "/usr/lib/systemd/resolv.conf",
    "/run/resolvconf/resolv.conf",
    "/run/NetworkManager/resolv.conf",
    "/run/NetworkManager/no-stub-resolv.conf",
    "/run/connman/resolv.conf",
)


class WriteText(Change, frozen=True, tag=True):
    """Puts a file with that content, owner and mode in the place of the file or link that is there, at once."""

    path: str
    content: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0

    def describe(self) -> str:
        told = f"{len(self.content)} bytes, SHA-256 {hashlib.sha256(self.content).hexdigest()[:12]}…"
        return f"install -m {self.mode:04o} -o {self.uid} -g {self.gid} /dev/stdin {shlex.quote(self.path)}  # {told}"


class WriteLink(Change, frozen=True, tag=True):
    """Puts a symbolic link that says `target` in the place of the file or link that is there, at once."""

    path: str
    target: str

    def describe(self) -> str:
        return f"ln -sfn {shlex.quote(self.target)} {shlex.quote(self.path)}"


class RemoveText(Change, frozen=True, tag=True):
    """Removes a file or link; none there is fine."""

    path: str

    def describe(self) -> str:
        return f"rm -f {shlex.quote(self.path)}"


ResolverOperation = WriteText | WriteLink | RemoveText


def unfit(operation: ResolverOperation) -> str:
    """Why root never makes such a change, whoever asks; empty where it may be made.

    The files are read by every program and executed by none. Nobody but root may come to write to them; and a link must
    not lead elsewhere than to what Debian's resolvers write, since root's own programs write through it.
    """
    if operation.path not in NAME_FILES:
        return f"{operation.path} is none of {', '.join(NAME_FILES)}"
    match operation:
        case WriteText() if len(operation.content) > MOST_BYTES:
            return f"{len(operation.content)} bytes are more than {MOST_BYTES}"
        case WriteText() if operation.uid or operation.gid:
            return "it would not be root's"
        case WriteText() if operation.mode & ~0o644:
            return f"mode {operation.mode:04o} lets others write to it or run it"
        case WriteLink() if operation.path != RESOLV_CONF or _led_to(operation) not in RESOLVERS_OWN:
            return f"a link to {operation.target} is none that a resolver makes"
    return ""


def _led_to(operation: WriteLink) -> str:
    target = posixpath.join(posixpath.dirname(operation.path), operation.target)
    return "" if ".." in target.removeprefix("/etc/../").split("/") else posixpath.normpath(target)
