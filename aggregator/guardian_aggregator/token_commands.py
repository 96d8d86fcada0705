"""`guardian-aggregator token create | list | revoke`."""

import argparse
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from guardian_aggregator.access import Role, Token, TokenFile
from guardian_aggregator.errors import GuardianError

_SPAN = re.compile(r"([1-9][0-9]{0,4})([hd])")
_SPAN_S = {"h": 3600, "d": 86_400}


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", default_config: Path) -> None:
    """What can be typed after `token`."""
    text = "who may ask the HTTP API"
    token = commands.add_parser("token", help=text, description=text)
    what = token.add_subparsers(dest="token_command", required=True, metavar="COMMAND")
    create = what.add_parser("create", help="make a token, and show it this once")
    create.add_argument("name", help="whose it is, such as grafana")
    create.add_argument(
        "--role", default=Role.VIEWER.value, choices=[role.value for role in Role], help="default: viewer"
    )
    create.add_argument("--expires", type=span_s, metavar="SPAN", help="such as 12h or 90d; default: never")
    what.add_parser("list", help="whose tokens there are")
    revoke = what.add_parser("revoke", help="end a token at once")
    revoke.add_argument("name", help="its name or id")
    for parser in what.choices.values():
        parser.add_argument("--config", type=Path, default=default_config, metavar="FILE", help="default: %(default)s")


def span_s(text: str) -> int:
    """Seconds of a span such as 12h or 90d. Raises argparse.ArgumentTypeError."""
    if (parts := _SPAN.fullmatch(text)) is None:
        raise argparse.ArgumentTypeError(f"must be a number of hours or days, such as 12h or 90d: {text!r}")
    return int(parts[1]) * _SPAN_S[parts[2]]


def run(options: argparse.Namespace, state_dir: Path) -> str:
    """Does it; answers a line for the operator. What can be used by a program goes to standard output.

    Raises:
        GuardianError: it cannot be done.
    """
    if not state_dir.is_dir():
        raise GuardianError(f"{state_dir}: the state folder is not there; `guardian-aggregator init` makes it")
    tokens, now_s = TokenFile(state_dir), int(time.time())
    match options.token_command:
        case "create":
            expires_at_s = None if options.expires is None else now_s + options.expires
            sys.stdout.write(f"{tokens.create(options.name, Role(options.role), now_s, expires_at_s)}\n")
            return f"{options.name}: a token of the role {options.role}; it is not shown again"
        case "revoke":
            token = tokens.revoke(options.name)
            return f"{token.name} ({token.id}): revoked"
        case _:
            found = tokens.all()
            for token in found:
                sys.stdout.write(f"{_shown(token, now_s)}\n")
            return "" if found else "no tokens"


def _shown(token: Token, now_s: int) -> str:
    until = "never expires"
    if token.expires_at_s is not None:
        until = ("expires " if token.is_valid(now_s) else "expired ") + _moment(token.expires_at_s)
    return f"{token.id}  {token.role:<8}  {token.name}  made {_moment(token.created_at_s)}, {until}"


def _moment(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
