"""The polkit rule that lets the unprivileged agent change the units that root's configuration names, and no other."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

POLKIT_RULE = Path("/etc/polkit-1/rules.d/60-guardian.rules")
HEADING = "// Written by guardian-agent from its configuration at each start; changes made here do not last.\n"
VERBS = ("start", "stop", "restart", "kill", "reset-failed")


def polkit_rule(units: Sequence[str], user: str = "guardian") -> str:
    """The text of a rule file, polkit(8): `user` may start, stop, restart, kill and reset exactly `units`.

    Units go by systemd's own names: an alias is never what polkit is asked about. With no unit nothing is allowed.
    """
    if not units:
        return HEADING + "// The mode is observe, or no unit is named that may be changed: nothing is allowed.\n"
    return f"""{HEADING}polkit.addRule(function(action, subject) {{
    var units = {json.dumps(sorted(set(units)))};
    var verbs = {json.dumps(VERBS)};
    if (action.id === "org.freedesktop.systemd1.manage-units" &&
        subject.user === {json.dumps(user)} &&
        units.indexOf(action.lookup("unit")) >= 0 &&
        verbs.indexOf(action.lookup("verb")) >= 0) {{
        return polkit.Result.YES;
    }}
}});
"""


def write_rule(text: str, path: Path) -> None:
    """Puts a rule file in place in one step, for all to read; a link there is replaced, not followed."""
    # polkitd reads whatever ends in .rules as soon as it appears: the new file must not, before it is whole.
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
