"""Changes to secrets that the operator declared, and the reload of who uses them. Secrets go by their paths."""

import shlex

from guardian_agent.host.operations.base import Change


class RenewSecret(Change, frozen=True, tag=True):
    """Has the declared program `renew` make a new secret, keeps the old one aside, and puts the new one in its place.

    `key`: the file of the private key that belongs to it, where the program may make that anew too; empty: there is
    none. How the program is run stands in docs/playbooks/rotate_secrets.md.
    """

    path: str
    renew: tuple[str, ...]
    key: str = ""
    timeout_s: float = 60.0

    def describe(self) -> str:
        return f"renew {self.path} by {shlex.join(self.renew)}"


class PutBackSecret(Change, frozen=True, tag=True):
    """Puts back what the last `RenewSecret` of this path replaced, byte for byte and with its date, and has `reload`
    (a unit; empty: none) read it. Where that replaced nothing there is nothing to do."""

    path: str
    reload: str = ""

    def describe(self) -> str:
        reload = f"; systemctl reload-or-restart {self.reload}" if self.reload else ""
        return f"put back the old {self.path}{reload}"


class CheckSecret(Change, frozen=True, tag=True):
    """Proves a secret by the declared program `check`: it must end with exit code 0 twice in a row, a second apart,
    before the time is over. It is tried again until then, since who was reloaded may take a moment."""

    path: str
    check: tuple[str, ...]
    timeout_s: float = 10.0

    def describe(self) -> str:
        return f"check {self.path} by {shlex.join(self.check)}"


class ReloadUnit(Change, frozen=True, tag=True):
    """Has a unit read its configuration again (or restarts it, where it cannot) and waits for systemd's job."""

    unit: str
    timeout_s: float = 120.0

    def describe(self) -> str:
        return f"systemctl reload-or-restart {self.unit}"


SecretOperation = RenewSecret | PutBackSecret | CheckSecret | ReloadUnit
