"""On which line of a TOML text does each table, key and list item stand?

The parser that reads our files gives no positions, and the configuration is almost always right: so this scan runs only
once something is wrong. It relies on the text being valid TOML, which the parser has established, and never judges it.
"""

import re
from bisect import bisect_left

import tomli

KeyPath = tuple[str | int, ...]  # ("component", 0, "health", "http"): names of keys, numbers of list items

_SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_KEY_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")
_KEY_DOT = re.compile(r"[ \t]*\.[ \t]*")
_SCALAR = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'"
    r"|\d{4}-\d\d-\d\d [^\s,\]}#]+"  # a date and a time with a space between
    r"|[^\s,\]}#]+",
    re.DOTALL,
)


def places(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of every table header, key and list item of a valid TOML text.

    A table that is only implied (`a` by `[a.b]`) stands where it is first implied.
    """
    return _Scan(text).run()


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.newlines = [match.start() for match in re.finditer("\n", text)]
        self.found: dict[KeyPath, int] = {}
        self.elements: dict[KeyPath, int] = {}  # how many [[headers]] an array of tables has had so far

    def run(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self.skip_space()
        while self.position < len(self.text):
            if self.text[self.position] == "[":
                table = self.header()
            else:
                self.assignment(table)
            self.skip_space()
        return self.found

    def header(self) -> KeyPath:
        line = self.line()
        brackets = 2 if self.text.startswith("[[", self.position) else 1
        self.position += brackets
        self.skip_space()
        *parents, last = self.key()
        self.skip_space()
        self.position += brackets
        path: KeyPath = ()
        for part in parents:
            path = self.newest((*path, part))
            self.found.setdefault(path, line)
        path = (*path, last)
        if brackets == 2:
            self.found.setdefault(path, line)
            self.elements[path] = self.elements.get(path, 0) + 1
            path = self.newest(path)
        self.found[path] = line
        return path

    def newest(self, path: KeyPath) -> KeyPath:
        """What a header means by the name of an array of tables: its newest element."""
        return (*path, self.elements[path] - 1) if path in self.elements else path

    def assignment(self, table: KeyPath) -> None:
        line = self.line()
        path = table
        for part in self.key():
            path = (*path, part)
            self.found.setdefault(path, line)
        self.skip_space()
        self.position += 1  # the equals sign
        self.skip_space()
        self.value(path)

    def value(self, path: KeyPath) -> None:
        opening = self.text[self.position]
        if opening == "[":
            self.position += 1
            index = 0
            while not self.closes("]"):
                self.found[(*path, index)] = self.line()
                self.value((*path, index))
                index += 1
        elif opening == "{":
            self.position += 1
            while not self.closes("}"):
                self.assignment(path)
        else:
            self.take(_SCALAR)

    def closes(self, bracket: str) -> bool:
        """Steps over space and a comma, and over `bracket` when it is next."""
        self.skip_space()
        if self.text[self.position] == ",":
            self.position += 1
            self.skip_space()
        if self.text[self.position] != bracket:
            return False
        self.position += 1
        return True

    def key(self) -> list[str]:
        parts = [self.key_part()]
        while dot := _KEY_DOT.match(self.text, self.position):
            self.position = dot.end()
            parts.append(self.key_part())
        return parts

    def key_part(self) -> str:
        part = self.take(_KEY_PART)
        return str(tomli.loads(f"key = {part}")["key"]) if part[0] in "\"'" else part

    def take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.position)
        if match is None:
            raise ValueError(f"no valid TOML at line {self.line()}")
        self.position = match.end()
        return match[0]

    def skip_space(self) -> None:
        self.take(_SPACE)

    def line(self) -> int:
        return bisect_left(self.newlines, self.position) + 1
