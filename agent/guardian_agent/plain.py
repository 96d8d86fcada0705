"""Whatever was found, as JSON and text can hold it."""

from typing import Any

import msgspec


def plain(value: Any) -> Any:
    """The same in numbers, texts, lists and dictionaries. What has no such form is told by its `str`.

    Names of files need not be Unicode: a byte that is none is written as `\\udcff`.
    """
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return plain_text(value)
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case dict():
            return {plain_text(str(key)): plain(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(one) for one in value]
        case msgspec.Struct():
            return plain(msgspec.to_builtins(value, enc_hook=str))
        case _:
            return plain_text(str(value))


def plain_text(text: str) -> str:
    """The text with what is no Unicode escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
