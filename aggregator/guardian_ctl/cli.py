"""The command line: `guardianctl stats | mttr | hosts | incidents | playbooks | demo`."""

import asyncio
import errno
import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, NoReturn

try:
    import typer
    from rich.console import RenderableType

    from guardian_ctl.client import Answer, Client, check_url
    from guardian_ctl.credentials import credentials_for
    from guardian_ctl.demo.run import run_demo
    from guardian_ctl.tables.fleet import fleet, recovery
    from guardian_ctl.tables.hosts import host_list, playbook_list
    from guardian_ctl.tables.incidents import incident_list, one_incident
    from guardian_ctl.tables.layout import make_console, show
except ModuleNotFoundError as missing:
    if (missing.name or "").startswith("guardian_ctl"):
        raise
    sys.stderr.write(f"guardianctl: {missing.name} is not installed: pip install 'guardian-fleet[ctl]'\n")
    sys.exit(78)

from urllib.parse import quote

from guardian_ctl import __version__
from guardian_ctl.errors import CtlError, WrongUsageError

app = typer.Typer(
    name="guardianctl",
    help="Asks Guardian's aggregator how the fleet is. Exit 0: fine; 1: a problem; 2: wrong usage.\n\nFrom the"
    " environment: GUARDIAN_TOKEN or GUARDIAN_TOKEN_FILE, where the aggregator wants a token; GUARDIAN_CA_FILE, whose"
    " certificates are trusted.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class By(StrEnum):
    ISSUE_TYPE = "issue-type"
    PLAYBOOK = "playbook"


# Read here and not by typer, which lets its own libraries speak.
def number_of_rows(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 10 and int(text)):
        raise typer.BadParameter(f"must be a whole number from 1, is {text!r}")
    return int(text)


def grouping(text: str) -> By:
    if text not in list(By):
        raise typer.BadParameter(f"must be {' or '.join(By)}, is {text!r}")
    return By(text)


Url = Annotated[str, typer.Option("--url", envvar="GUARDIAN_URL", help="The aggregator's HTTP address.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's JSON as it is.")]
Window = Annotated[str | None, typer.Option(help="How far back from now: 1h, 24h, 7d or 30d.", metavar="SPAN")]
From = Annotated[str | None, typer.Option("--from", help="Instead: the first moment, RFC 3339.", metavar="TIME")]
To = Annotated[str | None, typer.Option("--to", help="The first moment after it; default: now.", metavar="TIME")]
Host = Annotated[str | None, typer.Option(help="Only this host.", metavar="ID")]
Labels = Annotated[list[str] | None, typer.Option("--label", help="Only hosts with this label.", metavar="KEY=VALUE")]
IssueType = Annotated[str | None, typer.Option(help="Only this issue type.", metavar="TYPE")]
Playbook = Annotated[str | None, typer.Option(help="Only what this playbook did.", metavar="ID")]
Layer = Annotated[str | None, typer.Option(help="Only this layer, by number or name.")]
Target = Annotated[str | None, typer.Option(help="Only this component.", metavar="NAME")]
Limit = Annotated[
    int | None, typer.Option(help="How many at most; default: 100.", metavar="NUMBER", parser=number_of_rows)
]
Cursor = Annotated[str | None, typer.Option(help="Where the page before ended.")]

Asked = dict[str, str | int | bool | None]

LOCAL = "http://127.0.0.1:8080"
WHEN = ("window", "from", "to")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs one command and exits."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal of another alphabet is no reason to end
    try:
        try:
            app(arguments)
        finally:
            sys.stdout.flush()
    except CtlError as error:
        sys.stderr.write(f"guardianctl: {error}\n")
        sys.exit(error.exit_code)
    except OSError as error:
        _give_up_output(error)
    sys.exit(0)


def _give_up_output(error: OSError) -> NoReturn:
    """A full disk, or a reader that has gone: said once, and not again by Python when it flushes at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno != errno.EPIPE:
        sys.stderr.write(f"guardianctl: the output cannot be written: {(error.strerror or str(error)).lower()}\n")
    sys.exit(1)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"guardianctl {__version__}\n")
        raise typer.Exit


@app.callback()
def whole(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """What can be typed before a command."""


@app.command()
def stats(
    url: Url = LOCAL,
    as_json: AsJson = False,
    window: Window = None,
    from_: From = None,
    to: To = None,
    host: Host = None,
    label: Labels = None,
    issue_type: IssueType = None,
    playbook: Playbook = None,
    layer: Layer = None,
) -> None:
    """The fleet: agents, incidents, time to recover, executions, layers."""
    asked: Asked = {"window": window, "from": from_, "to": to, "host": host}
    asked |= {"issue_type": issue_type, "playbook": playbook, "layer": layer}
    _show(url, "/api/guardian/stats", asked, fleet, as_json=as_json, labels=label)


@app.command()
def mttr(
    by: Annotated[By, typer.Option(help="What to group by.", metavar="|".join(By), parser=grouping)] = By.ISSUE_TYPE,
    url: Url = LOCAL,
    as_json: AsJson = False,
    window: Window = None,
    from_: From = None,
    to: To = None,
    host: Host = None,
    label: Labels = None,
    issue_type: IssueType = None,
    playbook: Playbook = None,
    layer: Layer = None,
    limit: Limit = None,
    cursor: Cursor = None,
) -> None:
    """Time to recover, by what was broken or by what healed it."""
    asked: Asked = {"window": window, "from": from_, "to": to, "host": host, "limit": limit, "cursor": cursor}
    asked |= {"issue_type": issue_type, "playbook": playbook, "layer": layer}
    groups, key = ("issue_types", "issue_type") if by is By.ISSUE_TYPE else ("playbooks", "playbook")

    def table(answer: dict[str, Any]) -> RenderableType:
        return recovery(answer, groups, key, by.value.replace("-", " "))

    _show(url, f"/api/guardian/mttr/by-{by}", asked, table, as_json=as_json, labels=label)


@app.command()
def hosts(
    url: Url = LOCAL,
    as_json: AsJson = False,
    host: Host = None,
    label: Labels = None,
    limit: Limit = None,
    cursor: Cursor = None,
) -> None:
    """Every host that ever connected, and how it is."""
    asked: Asked = {"host": host, "limit": limit, "cursor": cursor}
    table = partial(host_list, narrowed=_is_narrowed(asked, label))
    _show(url, "/api/guardian/hosts", asked, table, as_json=as_json, labels=label)


@app.command()
def incidents(
    incident_id: Annotated[str | None, typer.Argument(metavar="ID", help="One incident, with all its runs.")] = None,
    url: Url = LOCAL,
    as_json: AsJson = False,
    open_: Annotated[bool, typer.Option("--open", help="Only those that are open.")] = False,
    closed: Annotated[bool, typer.Option("--closed", help="Only those that are closed.")] = False,
    window: Window = None,
    from_: From = None,
    to: To = None,
    host: Host = None,
    label: Labels = None,
    target: Target = None,
    issue_type: IssueType = None,
    playbook: Playbook = None,
    layer: Layer = None,
    limit: Limit = None,
    cursor: Cursor = None,
) -> None:
    """Incidents, newest first; or one of them with what was done about it."""
    if open_ and closed:
        raise WrongUsageError("--open and --closed leave nothing together: give one of them, or none for all")
    is_open = open_ if open_ or closed else None
    asked: Asked = {"window": window, "from": from_, "to": to, "host": host, "target": target, "open": is_open}
    asked |= {"issue_type": issue_type, "playbook": playbook, "layer": layer, "limit": limit, "cursor": cursor}
    if incident_id is None:
        _show(url, "/api/guardian/incidents", asked, incident_list, as_json=as_json, labels=label)
        return
    if not incident_id:
        raise WrongUsageError("an ID is not empty: leave it out for the list of incidents")
    if label or any(value is not None for value in asked.values()):
        raise WrongUsageError("an ID names one incident: leave out the filters")
    _show(url, f"/api/guardian/incidents/{quote(incident_id, safe='')}", {}, one_incident, as_json=as_json)


@app.command()
def playbooks(
    url: Url = LOCAL,
    as_json: AsJson = False,
    window: Window = None,
    from_: From = None,
    to: To = None,
    host: Host = None,
    label: Labels = None,
    issue_type: IssueType = None,
    playbook: Playbook = None,
    layer: Layer = None,
    limit: Limit = None,
    cursor: Cursor = None,
) -> None:
    """Every playbook, what it heals and how it has done."""
    asked: Asked = {"window": window, "from": from_, "to": to, "host": host, "limit": limit, "cursor": cursor}
    asked |= {"issue_type": issue_type, "playbook": playbook, "layer": layer}
    table = partial(playbook_list, narrowed=_is_narrowed(asked, label))
    _show(url, "/api/guardian/playbooks", asked, table, as_json=as_json, labels=label)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End when the third fault is healed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object; the rest goes to stderr.")] = False,
) -> None:
    """Break a small service on this machine three ways, and watch it being healed. Needs no root."""
    raise typer.Exit(asyncio.run(run_demo(once=once, as_json_object=as_json)))


def _show(
    url: str,
    path: str,
    asked: Asked,
    table: Callable[[dict[str, Any]], RenderableType],
    *,
    as_json: bool,
    labels: list[str] | None = None,
) -> None:
    """Asks the API and prints its answer, as JSON or as a table."""
    answer = asyncio.run(_ask(url, path, _parameters(asked, labels or [])))
    if as_json:
        sys.stdout.write(answer.text.rstrip("\n") + "\n")
        return
    try:
        shown = table(answer.data)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise CtlError(f"{url} answers, but not what this version can show ({what}); try --json") from error
    show(make_console(), shown)


def _is_narrowed(asked: Asked, labels: list[str] | None) -> bool:
    """Whether more is asked than how the whole fleet is, or was in some window."""
    rest = (value for name, value in asked.items() if name not in (*WHEN, "limit"))
    return bool(labels) or any(value is not None for value in rest)


def _parameters(asked: Asked, labels: list[str]) -> list[tuple[str, str]]:
    """What is asked, as the API spells it."""
    given = []
    for name, value in asked.items():
        if value is not None:
            given.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    for label in labels:
        key, equals, value = label.partition("=")
        if not (key and equals and value):
            raise WrongUsageError(f"--label must be KEY=VALUE, is {label!r}")
        given.append((f"label.{key}", value))
    return given


async def _ask(url: str, path: str, parameters: list[tuple[str, str]]) -> Answer:
    async with Client(url, credentials=credentials_for(check_url(url), os.environ)) as client:
        return await client.get(path, parameters)
