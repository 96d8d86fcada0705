"""What a client may ask with: each parameter's name, what is allowed, and how it is read."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import partial
from typing import Annotated, Any, Literal

import msgspec

from guardian_aggregator.api.problems import Problem, bad
from guardian_aggregator.model import Layer

DEFAULT_LIMIT = 100
MOST = 1000
LONGEST_TEXT = 256
LONGEST_CURSOR = 4096  # a cursor has the id of the row before it, whatever that is
LABEL_PREFIX = "label."
WINDOWS_S = {"1h": 3600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime(2262, 1, 1, tzinfo=UTC)  # 64 bits of nanoseconds
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_LOST_PLUS = re.compile(r"T.* \d\d:\d\d$")  # what a zone's + comes as, when it is put into a URL as it is
_LAYERS = {layer.name.lower(): layer for layer in Layer} | {str(layer.value): layer for layer in Layer}


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter. `read` turns its text into a value, or raises ValueError saying what it must be."""

    name: str
    description: str
    schema: dict[str, Any]
    read: Callable[[str], Any]
    where: Literal["query", "path"] = "query"


def _text(text: str, longest: int = LONGEST_TEXT) -> str:
    if not 0 < len(text) <= longest:
        raise ValueError(f"must have 1 to {longest} characters")
    return text


def _choice(values: Mapping[str, Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if text not in values:
            raise ValueError(f"must be one of {', '.join(values)}")
        return values[text]

    return read


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and 1 <= int(text) <= MOST):
        raise ValueError(f"must be a whole number from 1 to {MOST}")
    return int(text)


def _moment(text: str) -> int:
    """Nanoseconds since the epoch."""
    try:
        moment = msgspec.convert(text, _Moment)
    except msgspec.ValidationError:
        lost = " (a + in it is written %2B)" if _LOST_PLUS.search(text) else ""
        raise ValueError(f"must be an RFC 3339 time with its zone, such as 2026-11-03T14:00:00Z{lost}") from None
    if not _EPOCH <= moment < _END:
        raise ValueError("must lie between 1970 and 2262")
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _parameter(name: str, description: str, read: Callable[[str], Any], **schema: Any) -> Parameter:
    return Parameter(name=name, description=description, schema=schema, read=read)


_TEXT_SCHEMA: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}


def _text_parameter(name: str, description: str) -> Parameter:
    return _parameter(name, description, _text, **_TEXT_SCHEMA)


WINDOW = (
    _parameter(
        "window",
        "How far back from now. Not together with `from` or `to`.",
        _choice(WINDOWS_S),
        type="string",
        enum=list(WINDOWS_S),
    ),
    _parameter("from", "The first moment that belongs to the window.", _moment, type="string", format="date-time"),
    _parameter(
        "to",
        "The first moment after the window; now if left out.",
        _moment,
        type="string",
        format="date-time",
    ),
)
LABEL = _parameter(
    "label",
    "`label.KEY=VALUE`, once or more: only hosts that carry all of these labels.",
    _text,
    type="object",
    patternProperties={r"^label\..{1,256}$": _TEXT_SCHEMA},
    additionalProperties=False,
)
HOSTS = (_text_parameter("host", "Only the host with this id."), LABEL)
FILTERS = (
    *HOSTS,
    _text_parameter("issue_type", "Only this issue type."),
    _text_parameter("playbook", "Only this playbook; of incidents, those that it healed."),
    _parameter(
        "layer",
        "Only this layer, by number or name; of executions and pages, that of their incident.",
        _choice(_LAYERS),
        type="string",
        enum=list(_LAYERS),
    ),
)
TARGET = _text_parameter("target", "Only this component or target.")
OPEN = _parameter(
    "open",
    "Only what is (or is not) open: not closed yet, or still running.",
    _choice({"true": True, "false": False}),
    type="boolean",
)
PAGE = (
    _parameter(
        "limit",
        "How many at most.",
        _limit,
        type="integer",
        minimum=1,
        maximum=MOST,
        default=DEFAULT_LIMIT,
    ),
    _parameter(
        "cursor",
        "The `next_cursor` of the page before; everything else as it was then.",
        partial(_text, longest=LONGEST_CURSOR),
        **(_TEXT_SCHEMA | {"maxLength": LONGEST_CURSOR}),
    ),
)


def identifier(description: str) -> Parameter:
    """The `{id}` in a path."""
    return Parameter(name="id", description=description, schema=_TEXT_SCHEMA, read=_text, where="path")


def read_all(
    query: Iterable[tuple[str, str]], path: Mapping[str, str], parameters: Iterable[Parameter]
) -> dict[str, Any]:
    """The values asked with, by name; the labels as one dictionary under `label`.

    Raises:
        Problem: 400, for a parameter that is unknown, repeated or wrong; 404, for an id that none can have.
    """
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {}
    labels: dict[str, str] = {}
    given: set[str] = set()
    for name, text in query:
        is_label = "label" in known and name.startswith(LABEL_PREFIX) and len(name) > len(LABEL_PREFIX)
        parameter = known.get("label" if is_label else name)
        if parameter is None or parameter.where == "path" or name == "label":
            raise _unknown(name, known)
        if name in given:
            raise bad(name, f"{name}: given more than once")
        given.add(name)
        value = _read(parameter, name, text)
        if is_label:
            labels[name.removeprefix(LABEL_PREFIX)] = value
        else:
            values[name] = value
    values["label"] = labels
    return values | {name: _read(known[name], name, text) for name, text in path.items()}


def _read(parameter: Parameter, name: str, text: str) -> Any:
    try:
        return parameter.read(text)
    except ValueError as error:
        raise bad(name, f"{name}: {error}") from None


def _unknown(name: str, known: Mapping[str, Parameter]) -> Problem:
    names = ["label.KEY" if each == "label" else each for each, it in known.items() if it.where == "query"]
    close = get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(names) or 'none'}"
    return bad(name[:LONGEST_TEXT], f"no parameter {name[:LONGEST_TEXT]!r}{hint}")
