"""What a fake host looks like, all of it that an operation could change, to be compared before and after."""

from collections.abc import Mapping
from types import FunctionType, MethodType
from typing import Any

import msgspec
from tests.agent.fake_host import FakeHost

# What tells of the host but is not the host, what only counts, and what others ask.
NOT_SHOWN = (
    "clock",
    "packets",
    "known",
    "growth",
    "drift",
    "sockets",
    "clients",
    "do",
    "done",
    "armed",
    "answers",
    "programs",
)
COUNTS = (
    "number",
    "active_since_s",
    "gone",
    "told",
    "restarts",
    "exit_code",
)  # a process that is started again is another one


def picture(host: FakeHost) -> dict[str, Any]:
    """By parts of the host: units, processes, netlink, files, kernel …"""
    return {name: _shown(part) for name, part in vars(host).items() if name not in NOT_SHOWN and name[0] != "_"}


def _shown(value: Any) -> Any:
    match value:
        case msgspec.Struct():
            return repr(value)
        case Mapping():
            return {str(key): _shown(each) for key, each in value.items()}
        case set() | frozenset():
            return sorted(map(repr, value))
        case list() | tuple():
            return [_shown(each) for each in value]
        case FunctionType() | MethodType():
            return None
        case _ if hasattr(value, "picture"):
            return repr(value.picture())
        case _ if type(value).__module__.startswith("tests."):
            return {name: _shown(part) for name, part in vars(value).items() if name not in COUNTS and name[0] != "_"}
        case _:
            return repr(value)
