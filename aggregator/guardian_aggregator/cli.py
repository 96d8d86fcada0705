"""The command line: `guardian-aggregator run | init | migrate | check-config | token`."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from guardian_aggregator import __version__

EXIT_FINE = 0
EXIT_PROBLEM = 1
EXIT_CONFIG = 78  # sysexits.h

_DEFAULT_CONFIG = "/etc/guardian/aggregator.toml"
_DEFAULT_STATE = "/var/lib/guardian-aggregator"

_FIRST_CONFIG = """\
# Guardian's aggregator. Every key that is left out has the value shown here in a comment.

[aggregator]
state_dir = {state_dir}

[grpc]
# Where agents connect. In the clear on a loopback address only, for a first try on one machine:
listen = "127.0.0.1:7443"
insecure = true
# A fleet needs certificates; agents then show theirs, signed by ca_file:
# listen = "0.0.0.0:7443"
# certificate_file = "/etc/guardian/aggregator.pem"
# key_file = "/etc/guardian/aggregator.key"
# ca_file = "/etc/guardian/ca.pem"

[http]
# listen = "127.0.0.1:8080"
# On any other address: HTTPS, and whoever asks shows a token (guardian-aggregator token create NAME).
# certificate_file = "/etc/guardian/http.pem"
# key_file = "/etc/guardian/http.key"
# tokens = true    # on a loopback address, too

[store]
# url = "sqlite:///var/lib/guardian-aggregator/guardian.db"    # default: guardian.db in state_dir

[intake]
# url = "local:"
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0 fine, 1 a problem, 2 wrong usage, 78 the configuration is at fault."""
    options = _parser().parse_args(arguments)
    _log_to_stderr()
    try:
        return _command(options)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("guardian_aggregator"):
            raise
        say(f"guardian-aggregator needs {error.name}: pip install 'guardian-fleet[aggregator]'")
        return EXIT_CONFIG


def say(line: str) -> None:
    """One line to the operator."""
    sys.stderr.write(f"{line}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="guardian-aggregator", description="Stores what the fleet's agents see and do, and serves its statistics."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in (
        ("run", "take the agents' streams and serve the API until SIGTERM"),
        ("init", "write a first configuration and make the state folder"),
        ("migrate", "bring the database up to this version (run does so too)"),
        ("check-config", "say everything that is wrong with the configuration"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        default = "default: %(default)s"
        command.add_argument("--config", type=Path, default=Path(_DEFAULT_CONFIG), metavar="FILE", help=default)
        if name == "init":
            command.add_argument("--state-dir", type=Path, default=Path(_DEFAULT_STATE), metavar="DIR", help=default)
    with suppress(ModuleNotFoundError):  # msgspec; any other command says so in one line
        from guardian_aggregator import token_commands

        token_commands.add_parsers(commands, Path(_DEFAULT_CONFIG))
    return parser


def _command(options: argparse.Namespace) -> int:
    if options.command == "init":
        return _init(options.config, options.state_dir)
    # Imported late: a missing extra ends in one line, and --help needs none.
    from guardian_aggregator import app, token_commands
    from guardian_aggregator.config import read_config
    from guardian_aggregator.errors import ConfigError, GuardianError

    try:
        config = read_config(options.config)
        if options.command == "run":
            app.run(config)
        elif options.command == "migrate":
            say(app.migrate_database(config))
        elif options.command == "token":
            if said := token_commands.run(options, config.state_dir):
                say(said)
        else:
            for notice in app.check(config):
                say(notice)
            say(f"{options.config}: fine")
    except ConfigError as error:
        for problem in error.problems:
            say(problem)
        return EXIT_CONFIG
    except GuardianError as error:
        say(f"guardian-aggregator: {error}")
        return EXIT_PROBLEM
    return EXIT_FINE


def _init(config: Path, state_dir: Path) -> int:
    state_dir = state_dir.absolute()
    try:
        config.parent.mkdir(parents=True, exist_ok=True)
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with config.open("x", encoding="utf-8") as file:
            file.write(_FIRST_CONFIG.format(state_dir=_quoted(str(state_dir))))
    except FileExistsError:
        say(f"{config}: exists already; nothing was changed")
        return EXIT_PROBLEM
    except OSError as error:
        say(f"{error.filename}: {error.strerror}")
        return EXIT_PROBLEM
    say(f"wrote {config}; state is kept in {state_dir}")
    say(f"next: guardian-aggregator run --config {config}")
    return EXIT_FINE


def _quoted(text: str) -> str:
    """`text` as a TOML basic string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _log_to_stderr() -> None:
    """Each line with the priority that journald reads, where it is journald that reads."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what it has to say is said by us, in one line
    form = "%(asctime)s %(levelname)s %(message)s"
    if "JOURNAL_STREAM" in os.environ:
        form = "%(levelname)s%(message)s"
        for level, priority in ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7)):
            logging.addLevelName(level, f"<{priority}>")
    logging.basicConfig(level=logging.INFO, format=form, stream=sys.stderr)
