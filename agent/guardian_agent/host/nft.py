"""Text of nftables tables, as nft(8) prints them: told apart, compared and checked, without running anything.

A table is named by a key, its family and its name: `inet filter`. Its text is what `nft --stateless list ruleset`
prints of it, from `table inet filter {` to the closing brace.
"""

import hashlib
import re

MOST_BYTES = 256 * 1024  # of all tables together
OURS = "guardian_"  # how the names of Guardian's own tables begin

_KEY = re.compile(r"(ip|ip6|inet|arp|bridge|netdev) [A-Za-z_][A-Za-z0-9_./-]{0,127}")
_QUOTED = re.compile(r'"[^"\x00-\x1f\x7f-\x9f\ud800-\udfff]*"')  # nft knows no way to quote a quote
_PLAIN = re.compile(r"[\t\n\x20-\x7e]*")
_SPECIAL = re.compile(r'["#$\\`]|include|define')  # comments, variables, files; nft prints none of them by itself
_DIVERTING = re.compile(r"dnat|snat|masquerade|redirect|tproxy|synproxy|dup|fwd|queue|(?<![a-z_])set(?![a-z_])")
_HARMLESS_SET = re.compile(
    r"(meta|ct) (mark|priority|nftrace) set |tcp option maxseg size set |^\tset (?=\S+ \{$)", re.MULTILINE
)
_OF_IPTABLES = ("filter", "nat", "mangle", "raw", "security", "broute")
_IPTABLES_CHAIN = re.compile(r"^\tchain (INPUT|OUTPUT|FORWARD|PREROUTING|POSTROUTING|BROUTING) \{$", re.MULTILINE)
_SET = re.compile(r"\t(set|map) \S+ \{")
_PASSING = re.compile(r"\t\t(flags .*\b(dynamic|timeout)\b|timeout .*)")
_NO_RULE = re.compile(r"(type|policy|comment|flags) .*|")


def is_key(key: str) -> bool:
    """Whether it names a table, and is nothing else to nft."""
    return _KEY.fullmatch(key) is not None


def is_ours(key: str) -> bool:
    return key.partition(" ")[2].startswith(OURS)


def fault(key: str, text: str) -> str:
    """Why a text is not that of the table `key` and nothing else; empty where it is.

    It is narrower than nft's own grammar: what nft itself would not print (comments, variables, `include`) is refused,
    so that whoever reads it need not know that grammar. Braces in quotes do not count, as they do not to nft.
    """
    if not is_key(key):
        return f"{key!r} is no name of a table"
    if len(text.encode(errors="replace")) > MOST_BYTES:
        return f"the text of table {key} is longer than {MOST_BYTES} bytes"
    plain = _QUOTED.sub("", text)
    if not _PLAIN.fullmatch(plain) or _SPECIAL.search(plain):
        return f"the text of table {key} has what nft prints in no table: a comment, a variable or a file"
    if not plain.startswith(f"table {key} {{\n"):
        return f"the text does not begin with table {key}"
    depth = 0
    for place, char in enumerate(plain.rstrip("\n")):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth == 0 and char == "}":
            more = plain.rstrip("\n")[place + 1 :]
            return f"there is more after table {key}" if more else ""
    return f"table {key} does not end"


def diversion(text: str) -> str:
    """What in a table sends packets elsewhere than they were sent, or to a program; empty where nothing does.

    Words are found within others too (nft reads `3dnat` as two), so some innocent names are taken for one.
    """
    plain = _HARMLESS_SET.sub("", _QUOTED.sub("", text))
    found = _DIVERTING.search(plain)
    return found.group() if found else ""


def not_mendable(key: str, text: str) -> str:
    """Why a table cannot be put back from its text; empty when it can."""
    family, _, name = key.partition(" ")
    if family != "inet" and name in _OF_IPTABLES and _IPTABLES_CHAIN.search(text):
        return f"table {key} is that of iptables, which keeps in it what nft cannot take back"
    if wrong := fault(key, text):
        return wrong
    if re.search(r"^\tflags .*owner", text, re.MULTILINE):
        return f"table {key} belongs to a program that has it open"
    return ""


def tables_in(listing: str) -> dict[str, str]:
    """Each table of a listing, by its key, in their order. Raises ValueError for what is no listing of nft's."""
    found: dict[str, str] = {}
    key, lines, depth = "", list[str](), 0
    for line in listing.split("\n"):
        plain = _QUOTED.sub("", line).partition("#")[0]
        if depth == 0 and not plain.strip():  # a warning, that a table is that of iptables
            continue
        if depth == 0:
            key, lines = plain.removeprefix("table ").removesuffix(" {"), []
            if plain != f"table {key} {{" or not is_key(key) or key in found:
                raise ValueError(f"nft listed what is no table: {line[:80]!r}")
        lines.append(line)
        depth += plain.count("{") - plain.count("}")
        if depth == 0:
            found[key] = "\n".join(lines) + "\n"
    if depth:
        raise ValueError(f"nft listed only a part of table {key}")
    return found


def settled(text: str) -> str:
    """The text of a table without what changes by itself: the elements of sets that packets fill or time empties."""
    kept, block, in_set = list[str](), list[str](), False
    for line in text.split("\n")[:-1]:
        if _SET.fullmatch(line):
            in_set = True
        (block if in_set else kept).append(line)
        if in_set and line == "\t}":
            kept += _without_elements(block) if any(_PASSING.fullmatch(each) for each in block) else block
            block, in_set = [], False
    return "\n".join([*kept, *block]) + "\n"


def comparable(tables: dict[str, str]) -> dict[str, str]:
    """Tables without what changes by itself, and without Guardian's own."""
    return {key: settled(text) for key, text in tables.items() if not is_ours(key)}


def _without_elements(block: list[str]) -> list[str]:
    kept, within = list[str](), False
    for line in block:
        within = within or line.startswith("\t\telements = {")
        if not within:
            kept.append(line)
        within = within and not _QUOTED.sub("", line).endswith("}")
    return kept


def summary(text: str) -> str:
    """A table in a few words: how many rules, and a hash of its text to tell it from another."""
    rules = sum(line.startswith("\t\t") and not _NO_RULE.fullmatch(line.strip()) for line in _chains(text))
    return f"({rules} rule{'' if rules == 1 else 's'}, {hashlib.sha256(text.encode(errors='replace')).hexdigest()[:8]})"


def _chains(text: str) -> list[str]:
    found, within = list[str](), False
    for line in text.split("\n")[:-1]:
        within = line.startswith("\tchain ") or (within and line != "\t}")
        if within:
            found.append(line)
    return found
