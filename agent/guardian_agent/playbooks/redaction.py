"""Secrets taken out of what is shown: rather a word too many than one too few.

A value is known by its name (`password=…`, `--token …`, `Authorization: …`), by its place (the user of a URL, a PEM
block), by its form (JWT, keys of AWS and others) or, after a word such as "token", by its looking random. Paths and
hashes that no such word names stay.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

REDACTED = "[redacted]"
LONGEST_LINE = 2000  # characters; what follows is not read, and so not shown

_WORD = (
    r"(?:pass(?:wor[dt]|wd|phrase|code)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?"
    r"|authorization|bearer|cookie|session[_-]?id|signature|otp|pin[_-]?code)"
)
_NAME = rf"(?:[\w.-]{{0,60}}{_WORD}[\w.-]{{0,40}}|(?:[\w.-]{{0,60}}[_.-])?(?:key|auth|pass|pw))"
_VALUE = r"""(?:\\+"(?:(?!\\+").)*(?:\\+")?|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|\S+)"""
# The file that a secret lies in is none: password_file=/etc/…
_FILE = r"(?<!file)(?<!path)(?<!dir)"
_ASSIGNED = re.compile(rf"(?i)(?<![\w.-])({_NAME}{_FILE})([\"'\\]*\s*(?::=|=>|=|:)\s*)({_VALUE})")
_FLAG = re.compile(rf"(?i)((?<!\S)--?(?:{_NAME}){_FILE})(\s+)({_VALUE})")
_FLAG_ALONE = re.compile(rf"(?i)--?(?:{_NAME}){_FILE}")
_HEADER = re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-(?:api-key|auth-token))([\"'\\]*\s*[:=]\s*).+")
_SCHEME = re.compile(r"(?i)\b(bearer|basic|digest|negotiate)(\s+)([A-Za-z0-9+/=_.~-]{8,})")
_USERINFO = (re.compile(r"(://)[^\s/@:]*:\S*(@)"), re.compile(r"(://)[^\s/@]+(@)"))
_FORMS = re.compile(
    r"\beyJ[\w-]{5,}\.[\w-]*(?:\.[\w-]*)?"  # a JWT
    r"|\b(?:AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA)[A-Z0-9]{12,}"  # AWS
    r"|\b(?:gh[pousr]_|github_pat_|glpat-|xox[a-z]-|sk-|sk_(?:live|test)_|AIza|hvs\.)[\w-]{16,}"
)
_RANDOM_AFTER = re.compile(rf"(?i)(?:{_WORD}|\bkey)\w*(?=\W)")
_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_BASE64_LINE = re.compile(  # a full line of a block whose beginning was cut off
    r"(?:^|\s)(?![^\s]*[/.]{2})(?=\S*[a-z])(?=\S*[A-Z])(?=\S*\d)[A-Za-z0-9+][A-Za-z0-9+/]{55,}={0,2}\s*$"
)
_MOST_PEM_LINES = 300  # of a block whose end never comes
_WORDS_AFTER = 4  # how far behind "token" something random is taken for one
_LEAST_RANDOM = 12  # characters
# Programs whose short options carry a password: the option, and whether only what follows its first colon is one.
_SHORT_FLAGS = {"sshpass": "-p", "redis-cli": "-a", "mysql": "-p", "mysqldump": "-p", "mariadb": "-p", "curl": "-u"}


def redact_lines(lines: Iterable[str]) -> list[str]:
    """The lines without secrets; a private key may go over several."""
    return list(redacted(lines))


def redacted(lines: Iterable[str]) -> Iterator[str]:
    """The same, one after the other: a line that is made to be difficult takes milliseconds."""
    inside = 0
    for line in lines:
        if inside:
            inside = 0 if _END.search(line) else inside - 1
            continue
        if (begin := _BEGIN.search(line)) is not None:
            rest = line[begin.end() :]
            ended = _END.search(rest)
            inside = 0 if ended else _MOST_PEM_LINES
            line = f"{line[: begin.start()]}{REDACTED}{rest[ended.end() :] if ended else ''}"  # noqa: PLW2901
        yield redact(line)


def redact(line: str) -> str:
    """One line without secrets. Redacting it again changes nothing that matters."""
    if "\n" in line:
        return "\n".join(redact_lines(line.split("\n")))
    line = line[:LONGEST_LINE]
    line = _BEGIN.split(line)[0] + REDACTED if _BEGIN.search(line) else line
    line = _HEADER.sub(rf"\1\2{REDACTED}", line)
    for userinfo in _USERINFO:
        line = userinfo.sub(rf"\1{REDACTED}\2", line)
    line = _ASSIGNED.sub(_without_value, line)
    line = _FLAG.sub(rf"\1\2{REDACTED}", line)
    line = _SCHEME.sub(rf"\1\2{REDACTED}", line)
    line = _FORMS.sub(REDACTED, line)
    line = _BASE64_LINE.sub(f" {REDACTED}", line)
    return _without_random(line)


def redact_argv(argv: Sequence[str]) -> str:
    """The words of a command in one line, without secrets."""
    program = argv[0].rpartition("/")[2] if argv else ""
    short = _SHORT_FLAGS.get(program, "")
    shown: list[str] = []
    for index, word in enumerate(argv):
        before = argv[index - 1] if index else ""
        name, equals, _ = word.partition("=")
        if index and (_FLAG_ALONE.fullmatch(before) or before == short):
            shown.append(REDACTED)
        elif equals and (_FLAG_ALONE.fullmatch(name) or _FLAG_ALONE.fullmatch(f"--{name}")):
            shown.append(f"{name}={REDACTED}")
        elif short and word.startswith(short) and word != short and not word.startswith("--"):
            shown.append(f"{short}{REDACTED}")
        else:
            shown.append(redact(word.replace("\n", " ") if not _BEGIN.search(word) else REDACTED))
    return redact(" ".join(shown))


def redact_all(value: Any) -> Any:
    """A JSON value with every text in it redacted, and what a telling key names."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {
            key: REDACTED if isinstance(one, str) and _FLAG_ALONE.fullmatch(f"--{key}") else redact_all(one)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        if all(isinstance(one, str) for one in value):
            return redact_lines(value)
        return [redact_all(one) for one in value]
    return value


def _without_value(found: re.Match[str]) -> str:
    name, between, value = found.groups()
    quote = value[0] if value[0] in "\"'" else ""
    return f"{name}{between}{quote}{REDACTED}{quote}"


def _without_random(line: str) -> str:
    """Without what looks random within a few words behind one that announces a secret."""
    after = [found.end() for found in _RANDOM_AFTER.finditer(line)]
    if not after:
        return line
    spans = set()
    for at in after:
        words = list(re.finditer(r"\S+", line[at:]))[: _WORDS_AFTER + 1]
        spans |= {(at + word.start(), at + word.end()) for word in words if _is_random(word.group())}
    for start, end in sorted(spans, reverse=True):
        line = f"{line[:start]}{REDACTED}{line[end:]}"
    return line


def _is_random(word: str) -> bool:
    bare = word.strip("\"'()<>[]{},;:.\\=")
    if len(bare) < _LEAST_RANDOM or bare.startswith("/"):
        return False
    return any(map(str.isalpha, bare)) and any(map(str.isdigit, bare))  # no word of prose has both, and is so long
