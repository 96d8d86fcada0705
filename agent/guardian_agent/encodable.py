"""What of the things that probes and playbooks found can be written down?"""

from collections.abc import Mapping
from typing import Any

DEEPEST = 20


def encodable(found: Any, deepest: int = DEEPEST) -> Any:
    """The same as JSON knows it: what it has no type for by its `str`, and bytes that are not UTF-8 in a text (file
    names, PEP 383) as `\\xff`."""
    match found:
        case None | bool() | int():
            return found
        case float():
            return found if abs(found) < float("inf") else str(found)
        case str():
            return found.encode(errors="backslashreplace").decode()
        case Mapping() if deepest:
            return {str(encodable(str(key), 0)): encodable(value, deepest - 1) for key, value in found.items()}
        case list() | tuple() | set() | frozenset() if deepest:
            return [encodable(value, deepest - 1) for value in found]
        case _:
            return str(found).encode(errors="backslashreplace").decode()
