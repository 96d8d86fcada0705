"""How is what others say kept short and on one line?"""

import traceback

import msgspec


def one_line(text: str, most: int) -> str:
    """At most so many characters, all of them printable: what is not is written as in Python, so that nobody makes a
    line of his own by it."""
    return "".join(c if c.isprintable() else _escaped(c) for c in text[:most])[:most]


def traceback_of(error: BaseException) -> str:
    """Where and why something failed, on one line: what an error says may be another's words."""
    return one_line("".join(traceback.format_exception(error)), 4000)


def encodable(text: str) -> str:
    """The same text, without what is no UTF-8: a name from a file system may have any bytes."""
    return text.encode("utf-8", "backslashreplace").decode()


def cut(text: str, most: int) -> str:
    """The longest beginning that takes at most so many bytes as a JSON string, its quotes among them."""
    text = encodable(text[:most])
    if _size(text) <= most:
        return text
    least, limit = 0, len(text)
    while least < limit:  # a longer beginning is never shorter as JSON
        middle = (least + limit + 1) // 2
        least, limit = (middle, limit) if _size(text[:middle]) <= most else (least, middle - 1)
    return text[:least]


def _size(text: str) -> int:
    return len(msgspec.json.encode(text))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
