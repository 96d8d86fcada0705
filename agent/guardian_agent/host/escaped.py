"""How is the name of a file shown that is no UTF-8?"""


def escaped(name: str) -> str:
    r"""A name as os.fsdecode gives it, its undecodable bytes as `\xff`: it can be written down, and need not be the
    name of anything any more. Nothing may act by it."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
